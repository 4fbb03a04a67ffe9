import { mintKey } from '@posthorn/contracts';
import { insertApiKey, insertAuditEntry, inTransaction, processActor } from '@posthorn/db';
import type { Command } from './read-command.ts';
import type { Session } from './session.ts';

type Wish = Extract<Command, { name: 'keys create-operator' }>;

/** The key goes to standard output alone, so that it can be piped to where secrets are kept. It is not stored. */
export async function createOperatorKey(
  { database, terminal, clock, user }: Session,
  { keyName: name, scopes, expiresAt }: Wish,
): Promise<number> {
  if (expiresAt !== null && expiresAt.getTime() <= clock.nowMs()) {
    terminal.tell('--expires-at is past');
    return 2;
  }
  const { keyId, key, keyHash } = mintKey('operator');
  const actor = { ...processActor('cli'), name: user };
  await inTransaction(database.sql, async (sql) => {
    const made = { keyId, keyHash, kind: 'operator', tenantId: null, name, scopes, expiresAt } as const;
    await insertApiKey(sql, { ...made, createdBy: actor.keyId });
    const after = { kind: 'operator', name, scopes, expiresAt };
    await insertAuditEntry(sql, { actor, action: 'key.created', tenantId: null, subject: keyId, after });
  });
  terminal.tell(
    `${keyId} with ${scopes.join(', ')}, ${expiresAt ? `until ${expiresAt.toISOString()}` : 'without an end'}.`,
  );
  terminal.tell('Keep the key: it is shown this once.');
  await terminal.print(`${key}\n`);
  return 0;
}
