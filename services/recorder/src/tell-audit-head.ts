import type { AuditHead } from '@posthorn/db';
import type { Logger } from '@posthorn/runtime';

/**
 * Tells the log where the chain of the audit log ends, whenever it has moved: whoever can write to the database can write
 * the chain and its head anew, but not the lines that were collected elsewhere by then.
 */
export function createHeadTeller(
  readHead: () => Promise<AuditHead>,
  log: Pick<Logger, 'info'>,
): () => Promise<void> {
  let told: number | null = null;
  return async () => {
    const { seq, hash } = await readHead();
    if (seq === told) return;
    told = seq;
    log.info({ audit_seq: seq, audit_hash: hash }, 'audit log head');
  };
}
