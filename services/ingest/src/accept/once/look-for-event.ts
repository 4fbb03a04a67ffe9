import type { HeldClaim } from '@posthorn/db';
import type { Clock } from '@posthorn/runtime';
import type { Claims } from './claims.ts';

/** Whether an event is there that may have been produced. */
export type Whereabouts =
  | { readonly kind: 'recorded'; readonly revision: number }
  | { readonly kind: 'absent' }
  /** Kafka does not say how far it must be, or the record is not there yet. */
  | { readonly kind: 'undecided' };

export interface LookParts {
  readonly claims: Pick<Claims, 'findRevision' | 'findRecordedOffset'>;
  /** Of a partition of `events`: the offset that its next record gets; null when Kafka does not say. */
  readonly endOffset: (partition: number) => Promise<number | null>;
  readonly clock: Clock;
  readonly wait: (ms: number) => Promise<void>;
}

const POLL_MS = 50;

/**
 * Asked once nothing can be appended for the claim any more: what is not below the partition's end by then never will
 * be, so when the record has reached that end and does not have the event, there is none. The record's offset is read
 * before the event: the other way round, the event could be recorded between the two.
 */
export async function lookForEvent(
  { claims, endOffset, clock, wait }: LookParts,
  { tenantId, eventId }: HeldClaim,
  partition: number,
  untilMs: number,
): Promise<Whereabouts> {
  const there = await claims.findRevision(tenantId, eventId);
  if (there !== null) return { kind: 'recorded', revision: there };
  const end = await endOffset(partition);
  if (end === null) return { kind: 'undecided' };
  for (;;) {
    const reached = (await claims.findRecordedOffset(partition)) ?? 0;
    const revision = await claims.findRevision(tenantId, eventId);
    if (revision !== null) return { kind: 'recorded', revision };
    if (reached >= end) return { kind: 'absent' };
    if (clock.monotonicMs() >= untilMs) return { kind: 'undecided' };
    await wait(POLL_MS);
  }
}
