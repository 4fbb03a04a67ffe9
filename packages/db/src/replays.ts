import type { Sql } from './database.ts';

/** What asked for a replay: the record in `replay` or `dead-letters`. */
export interface ReplaySource {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface NewReplay {
  /** UUID. */
  readonly replayId: string;
  readonly tenantId: string;
  readonly eventId: string;
  readonly endpointId: string;
  /** Of the new run, or of the new round of the same run. */
  readonly deliveryId: string;
  readonly previousDeliveryId: string;
  readonly run: number;
  readonly round: number;
  readonly source: ReplaySource;
}

export interface ReplayRow {
  readonly replayId: string;
  readonly deliveryId: string;
  readonly run: number;
  readonly round: number;
  readonly state: 'dispatched' | 'refused';
  readonly reason: string | null;
  readonly createdAt: Date;
}

export type ReplayClaim =
  | { readonly kind: 'claimed' }
  /** The same source asked before: this is what was decided then; do the same again. */
  | { readonly kind: 'mine'; readonly replay: ReplayRow }
  /** Another source has opened this round. */
  | { readonly kind: 'taken' };

/** Claims a round of a delivery for the source that asked. The claim is the decision: publish after it. */
export async function claimReplay(sql: Sql, replay: NewReplay): Promise<ReplayClaim> {
  if (await insertReplay(sql, replay, 'dispatched', null)) return { kind: 'claimed' };
  const mine = await findReplayBySource(sql, replay.source, replay.endpointId);
  return mine ? { kind: 'mine', replay: mine } : { kind: 'taken' };
}

/** Keeps that a source's wish was refused and why; nothing when that source has a row already. */
export async function refuseReplay(sql: Sql, replay: NewReplay, reason: string): Promise<void> {
  await insertReplay(sql, replay, 'refused', reason);
}

async function insertReplay(
  sql: Sql,
  replay: NewReplay,
  state: ReplayRow['state'],
  reason: string | null,
): Promise<boolean> {
  const { topic, partition, offset } = replay.source;
  const inserted = await sql`
    insert into replays (replay_id, tenant_id, event_id, endpoint_id, delivery_id, previous_delivery_id, run, round,
                         source_topic, source_partition, source_offset, state, reason)
    values (${replay.replayId}::uuid, ${replay.tenantId}, ${replay.eventId}::uuid, ${replay.endpointId},
            ${replay.deliveryId}, ${replay.previousDeliveryId}, ${replay.run}, ${replay.round},
            ${topic}, ${partition}, ${offset}::bigint, ${state}, ${reason})
    on conflict do nothing returning replay_id`;
  return inserted.length > 0;
}

/** What was decided for this record and endpoint before; null when it was not read before. */
export async function findReplayBySource(
  sql: Sql,
  source: ReplaySource,
  endpointId: string,
): Promise<ReplayRow | null> {
  const [row] = await sql<ReplayRow[]>`
    select replay_id, delivery_id, run, round, state, reason, created_at from replays
    where source_topic = ${source.topic} and source_partition = ${source.partition}
      and source_offset = ${source.offset}::bigint and endpoint_id = ${endpointId}`;
  return row ?? null;
}
