import type { AuditEntry } from '@posthorn/db';
import type { Logger } from '@posthorn/runtime';
import type { Problem } from '../http/problem.ts';
import type { Store } from '../store.ts';

export interface Intent extends Pick<AuditEntry, 'actor' | 'subject' | 'detail'> {
  readonly tenantId: string;
  /** `replay.requested`: what it is before it is done. */
  readonly asked: string;
  /** `replay.failed`: the entry that follows when Kafka did not take it, or did not say so. */
  readonly failed: string;
}

interface IntentParts {
  readonly store: Pick<Store, 'audit'>;
  readonly log: Logger;
}

/**
 * A row in Postgres cannot commit together with a record in Kafka. So the row comes first, and tells what was asked
 * for: nothing is ever done without one. When Kafka refuses, or leaves open what became of it, another row says which,
 * by the problem's code. A process that dies in between, or a Postgres that is away by then, leaves the first row alone:
 * what it asks for may have been done, or not.
 */
export async function tellIntent(
  { store, log }: IntentParts,
  { asked, failed, ...entry }: Intent,
  write: () => Promise<Problem | null>,
): Promise<Problem | null> {
  await store.audit({ ...entry, action: asked });
  const problem = await write();
  if (problem === null) return null;
  const detail = { ...entry.detail, code: problem.code };
  await store.audit({ ...entry, action: failed, detail }).catch((error: unknown) => {
    log.warn({ err: error, request_id: entry.actor.requestId }, 'audit log not told of a failure');
  });
  return problem;
}
