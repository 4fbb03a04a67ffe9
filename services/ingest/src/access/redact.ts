import { REDACTED } from '@posthorn/contracts';
import type { AuditEntry, AuditView } from '@posthorn/db';

const USER_INFO = /^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i;

/** Without user name and password. */
export const redactUrl = (url: string): string => url.replace(USER_INFO, `$1${REDACTED}@`);

/** What is sealed in Postgres, and what is only shown once, is not in the audit log either, in no form. */
const isSecret = (field: string): boolean => /^sealed|secret$|^secrets$|^headers$|^key(Hash)?$/i.test(field);

export function redact(fields: AuditView): AuditView {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (isSecret(name) && value !== null && value !== undefined) return [name, REDACTED];
      return [name, name === 'url' && typeof value === 'string' ? redactUrl(value) : value];
    }),
  );
}

/** Before and after of the fields that a change names. */
export function changeOf(before: AuditView, changes: AuditView): Pick<AuditEntry, 'before' | 'after'> {
  const names = Object.keys(changes).filter((name) => changes[name] !== undefined);
  const pick = (from: AuditView): AuditView =>
    redact(Object.fromEntries(names.map((name) => [name, from[name] ?? null])));
  return { before: pick(before), after: pick(changes) };
}
