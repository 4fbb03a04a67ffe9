import { createHash } from 'node:crypto';
import { inTransaction, type PoolSql, type Sql } from './database.ts';

/** A place in the chain: the number of an entry and the hash over it and all before it. */
export interface AuditHead {
  readonly seq: number;
  /** Hex. */
  readonly hash: string;
}

export type AuditFault =
  /** Its hash is not that of what it says and of what stands before it: edited, or put elsewhere. */
  | { readonly kind: 'altered'; readonly seq: number }
  /** Entries that are not there: removed. */
  | { readonly kind: 'missing'; readonly seq: number; readonly count: number }
  /** The end of the chain is gone, or was moved: the head, or a pin, is of a later entry than the last one. */
  | { readonly kind: 'cut'; readonly seq: number; readonly count: number }
  /** The entry is not the one that the head, or a pin, is of: written anew, or added behind the head. */
  | { readonly kind: 'replaced'; readonly seq: number }
  /** Written past the trigger that chains: put in. */
  | { readonly kind: 'unchained'; readonly count: number };

export interface AuditVerdict {
  /** Entries that were read. */
  readonly entries: number;
  /** What the entries add up to. */
  readonly last: AuditHead;
  readonly faults: readonly AuditFault[];
}

/** Entries read at once. */
const CHUNK = 1_000;
/** Faults that are told; each is looked for from what is there, so one edit is one fault. */
const MAX_FAULTS = 100;
const START: AuditHead = { seq: 0, hash: '00'.repeat(32) };

export async function readAuditHead(sql: Sql): Promise<AuditHead> {
  const [row] = await sql<AuditHead[]>`select seq, encode(hash, 'hex') as hash from audit_head`;
  return row!;
}

/**
 * Computes every hash again, without asking Postgres for one, and compares the end with the head that is kept apart.
 * `pins` are heads that were printed before and kept elsewhere: whoever can write to the database can write the whole
 * chain and its head anew, but not what is out of his reach.
 */
export async function verifyAuditLog(sql: PoolSql, pins: readonly AuditHead[] = []): Promise<AuditVerdict> {
  return inTransaction(sql, async (transaction) => {
    // One moment of the log, however long it takes to read.
    await transaction`set transaction isolation level repeatable read, read only`;
    const head = await readAuditHead(transaction);
    const places = [head, ...pins];
    const faults: AuditFault[] = [];
    const tell = (fault: AuditFault): void => void (faults.length < MAX_FAULTS && faults.push(fault));
    let last = START;
    let entries = 0;
    for (let more = true; more; ) {
      const rows = await readChunk(transaction, last.seq);
      for (const row of rows) {
        last = follow(last, row, tell);
        checkPlaces(places, last, tell);
      }
      entries += rows.length;
      more = rows.length === CHUNK;
    }
    const end = Math.max(...places.map(({ seq }) => seq));
    if (end > last.seq) tell({ kind: 'cut', seq: last.seq + 1, count: end - last.seq });
    else if (head.seq < last.seq) tell({ kind: 'replaced', seq: head.seq });
    const unchained = await countUnchained(transaction);
    if (unchained > 0) tell({ kind: 'unchained', count: unchained });
    return { entries, last, faults };
  });
}

/** One entry further. What follows a fault is judged by what is there, so that it is not told of every entry after it. */
function follow(last: AuditHead, row: ChainRow, tell: (fault: AuditFault) => void): AuditHead {
  const { seq, hash } = row;
  if (seq !== last.seq + 1) tell({ kind: 'missing', seq: last.seq + 1, count: seq - last.seq - 1 });
  else if (hashOf(last.hash, row) !== hash) tell({ kind: 'altered', seq });
  return { seq, hash };
}

function checkPlaces(
  places: readonly AuditHead[],
  { seq, hash }: AuditHead,
  tell: (fault: AuditFault) => void,
): void {
  if (places.some((place) => place.seq === seq && place.hash !== hash)) tell({ kind: 'replaced', seq });
}

interface ChainRow {
  readonly seq: number;
  readonly hash: string;
  /** Of the fields as `audit_hash` of the schema takes them, in its order. */
  readonly [field: string]: string | number | null;
}

const HASHED = [
  'seq',
  'atMicros',
  'actor',
  'actorName',
  'ip',
  'requestId',
  'action',
  'tenantId',
  'subject',
  'before',
  'after',
  'detail',
] as const;

const readChunk = (sql: Sql, after: number): Promise<ChainRow[]> => sql<ChainRow[]>`
  select seq, encode(hash, 'hex') as hash, (extract(epoch from at) * 1000000)::bigint::text as at_micros, actor,
         actor_name, ip, request_id, action, tenant_id, subject, before::text, after::text, detail::text
  from audit_log where seq > ${after}::bigint order by seq limit ${CHUNK}`;

async function countUnchained(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from audit_log where seq is null or hash is null`;
  return row!.count;
}

function hashOf(previous: string, row: ChainRow): string {
  const hash = createHash('sha256').update(Buffer.from(previous, 'hex'));
  for (const name of HASHED) {
    const field = row[name];
    hash.update(field === null ? '-;' : `${Buffer.byteLength(String(field))}:${field};`);
  }
  return hash.digest('hex');
}
