import {
  claimReplay,
  findReplayBySource,
  findStandings,
  type NewReplay,
  type ReplayClaim,
  type ReplayRow,
  type ReplaySource,
  refuseReplay,
  type Sql,
  within,
} from '@posthorn/db';
import type { LatestStanding } from './decide-replay.ts';

/** What replays ask of Postgres. Every answer comes within a bound, or is an error. */
export interface ReplayStore {
  findStanding(
    tenantId: string,
    eventId: string,
    endpointId: string,
  ): Promise<(LatestStanding & { deliveryId: string }) | undefined>;
  /** What was decided before for the same record, if it was read before. */
  findReplay(source: ReplaySource, endpointId: string): Promise<ReplayRow | null>;
  claim(replay: NewReplay): Promise<ReplayClaim>;
  refuse(replay: NewReplay, reason: string): Promise<void>;
}

const QUERY_TIMEOUT_MS = 5_000;

export function createReplayStore(sql: Sql): ReplayStore {
  return {
    async findStanding(tenantId, eventId, endpointId) {
      const [row] = await within(QUERY_TIMEOUT_MS, findStandings(sql, tenantId, eventId, [endpointId]));
      return row;
    },
    findReplay: (source, endpointId) => within(QUERY_TIMEOUT_MS, findReplayBySource(sql, source, endpointId)),
    claim: (replay) => within(QUERY_TIMEOUT_MS, claimReplay(sql, replay)),
    refuse: (replay, reason) => within(QUERY_TIMEOUT_MS, refuseReplay(sql, replay, reason)),
  };
}
