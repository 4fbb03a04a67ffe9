import { isJsonType } from '@posthorn/contracts';
import type { CatalogueEntry, EventCatalogue, TenantConfig } from '@posthorn/tenant-config';
import type { CheckOutcome, NotChecked } from '../check-payload/check-lane.ts';
import type { PayloadChecks } from '../check-payload/payload-checks.ts';
import { type Fault, type Problem, problem, retryAfter } from '../http/problem.ts';
import { cutPointer } from '../http/validation.ts';
import type { PostedEvent } from './posted-event.ts';

export interface TypeCheckParts {
  readonly catalogue: Pick<EventCatalogue, 'find' | 'loaded'>;
  readonly payloadChecks: Pick<PayloadChecks, 'check'>;
}

/** What an accepted event is told of its type. */
export interface Warning {
  readonly code: 'event_type_unknown' | 'event_type_deprecated' | 'payload_invalid' | 'payload_not_checked';
  readonly detail: string;
  readonly errors?: readonly Fault[];
}

export type TypeVerdict = Problem | readonly Warning[];

export const NO_WARNINGS: readonly Warning[] = Object.freeze([]);

/**
 * Holds an event to the catalogue: its type to the tenant's policy for unknown ones, its payload to the type's schema.
 * At once where there is nothing to check.
 */
export function checkType(
  { catalogue, payloadChecks }: TypeCheckParts,
  tenant: Pick<TenantConfig, 'tenantId' | 'unknownEventTypes'>,
  event: PostedEvent,
): TypeVerdict | Promise<TypeVerdict> {
  const entry = catalogue.find(event.type);
  if (entry === undefined && !catalogue.loaded) return UNREAD;
  if (entry === undefined || entry.state === 'archived') return unknownType(tenant, event.type, entry);
  const warnings = entry.state === 'deprecated' ? [deprecated(event.type)] : NO_WARNINGS;
  const { name, enforcement, schema, schemaKey } = entry;
  if (enforcement === 'off' || schema === null) return warnings;
  if (!isJsonType(event.contentType)) return judge(entry, [notJson(event)], warnings);
  return payloadChecks
    .check(tenant.tenantId, { name, schema, schemaKey }, event.payload)
    .then((outcome) => judgeOutcome(entry, event, outcome, warnings));
}

const UNREAD = problem('tenant_unavailable', 'the event types cannot be read now: try again', retryAfter(1));

function unknownType(
  { unknownEventTypes = 'allow' }: Pick<TenantConfig, 'unknownEventTypes'>,
  type: string,
  archived: CatalogueEntry | undefined,
): TypeVerdict {
  if (unknownEventTypes === 'allow') return NO_WARNINGS;
  const detail = `the event type ${type} is ${archived ? 'archived' : 'not in the catalogue'}`;
  if (unknownEventTypes === 'warn') return [{ code: 'event_type_unknown', detail }];
  return problem('event_type_unknown', detail);
}

const deprecated = (type: string): Warning => ({
  code: 'event_type_deprecated',
  detail: `the event type ${type} is deprecated`,
});

const notJson = ({ payloadPointer, contentType }: PostedEvent): Fault => ({
  pointer: payloadPointer,
  detail: `is ${contentType}: the schema of its type is for JSON`,
});

function judgeOutcome(
  entry: CatalogueEntry,
  event: PostedEvent,
  outcome: CheckOutcome,
  warnings: readonly Warning[],
): TypeVerdict {
  switch (outcome.kind) {
    case 'fits':
      return warnings;
    case 'faults': {
      const faults = outcome.faults.map(({ pointer, detail }) => ({
        pointer: cutPointer(`${event.payloadPointer}${pointer}`),
        detail,
      }));
      return judge(entry, faults, warnings);
    }
    case 'not_checked':
      return notChecked(entry, outcome.reason, warnings);
    default:
      return outcome satisfies never;
  }
}

function judge(
  { name, version, enforcement }: CatalogueEntry,
  errors: readonly Fault[],
  warnings: readonly Warning[],
): TypeVerdict {
  const detail = `the payload does not fit the schema of ${name}, version ${version}`;
  if (enforcement === 'warn') return [...warnings, { code: 'payload_invalid', detail, errors }];
  return problem('payload_invalid', detail, { errors });
}

const WHY_NOT_CHECKED: Readonly<Record<NotChecked, string>> = {
  timeout: 'it took too long',
  crashed: 'it took too much memory',
  busy: 'too many wait',
  failed: 'the check failed',
};

function notChecked(
  { name, enforcement }: CatalogueEntry,
  reason: NotChecked,
  warnings: readonly Warning[],
): TypeVerdict {
  const detail = `the payload could not be checked against the schema of ${name}: ${WHY_NOT_CHECKED[reason]}`;
  if (enforcement === 'warn') return [...warnings, { code: 'payload_not_checked', detail }];
  return problem('payload_not_checked', detail, retryAfter(1));
}
