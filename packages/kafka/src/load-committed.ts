import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaLog } from './client.ts';
import type { InternalGroup } from './kafkajs-internals.ts';
import type { Committed } from './partition-intake.ts';
import { decodeMap, type OffsetMap } from './window-encoding.ts';

export interface Place {
  readonly topic: string;
  readonly partition: number;
}

export const keyOf = ({ topic, partition }: Place): string => `${topic}/${partition}`;

/** What the coordinator holds: one request for all. kafkajs itself drops the metadata. */
export async function fetchCommitted(
  group: InternalGroup,
  places: readonly Place[],
): Promise<Map<string, Committed>> {
  const committed = new Map<string, Committed>();
  if (places.length === 0) return committed;
  const topics = [...Map.groupBy(places, ({ topic }) => topic)].map(([topic, of]) => ({
    topic,
    partitions: of.map(({ partition }) => ({ partition })),
  }));
  const { responses } = await group.coordinator.offsetFetch({ groupId: group.groupId, topics });
  for (const { topic, partitions } of responses) {
    for (const { partition, offset, metadata } of partitions) {
      committed.set(keyOf({ topic, partition }), { offset: Number(offset), metadata: metadata ?? '' });
    }
  }
  return committed;
}

/** The first offset of each partition that is still in the log. */
export const fetchLogStarts = (group: InternalGroup, places: readonly Place[]) =>
  fetchLogOffsets(group, places, true);

/** The offset that the next record of each partition will get. */
export const fetchLogEnds = (group: InternalGroup, places: readonly Place[]) =>
  fetchLogOffsets(group, places, false);

/** While a leader is being elected a join that fails would only be begun again, by the whole group. */
const LOG_OFFSET_TRIES = { most: 10, pauseMs: 300 };

async function fetchLogOffsets(
  group: InternalGroup,
  places: readonly Place[],
  fromBeginning: boolean,
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  if (places.length === 0) return found;
  const topics = [...Map.groupBy(places, ({ topic }) => topic)].map(([topic, of]) => ({
    topic,
    partitions: of.map(({ partition }) => ({ partition })),
    fromBeginning,
  }));
  for (const { topic, partitions } of await patiently(group, () => group.cluster.fetchTopicsOffset(topics))) {
    for (const { partition, offset } of partitions) found.set(keyOf({ topic, partition }), Number(offset));
  }
  return found;
}

async function patiently<Found>(group: InternalGroup, ask: () => Promise<Found>): Promise<Found> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (tries === LOG_OFFSET_TRIES.most) throw error;
      await delay(LOG_OFFSET_TRIES.pauseMs);
      await group.cluster.refreshMetadata();
    }
  }
}

/** What we begin from, and the offset that the log's next record will get. */
export interface StartingPoint {
  readonly start: number;
  readonly map: OffsetMap | null;
  readonly committed: Committed;
  readonly end: number;
}

export async function findStartingPoints(
  group: InternalGroup,
  places: readonly Place[],
  committed: ReadonlyMap<string, Committed>,
  log: KafkaLog,
): Promise<Map<Place, StartingPoint>> {
  const committedAt = (place: Place) => committed.get(keyOf(place)) ?? { offset: -1, metadata: '' };
  const uncommitted = places.filter((place) => committedAt(place).offset < 0);
  const starts = await fetchLogStarts(group, uncommitted);
  const ends = await fetchLogEnds(group, places);
  return new Map(
    places.map((place) => {
      const from = startingPoint(place, committedAt(place), starts.get(keyOf(place)), log);
      return [place, { ...from, end: ends.get(keyOf(place)) ?? from.start }];
    }),
  );
}

/** Where a new owner begins. Without a map that can be trusted all from the committed offset on is done again. */
function startingPoint(
  place: Place,
  committed: Committed,
  logStart: number | undefined,
  log: KafkaLog,
): Omit<StartingPoint, 'end'> {
  const { offset, metadata } = committed;
  if (offset < 0) {
    // -1: nothing was ever committed. -2: kafkajs, or a tool, gave up an offset that was out of range.
    if (offset !== -1) log.warn({ ...place, offset }, 'the committed offset was given up: starting over');
    return { start: logStart ?? 0, map: null, committed };
  }
  const decoded = decodeMap(offset, metadata);
  switch (decoded.kind) {
    case 'map':
      return { start: offset, map: decoded.map, committed };
    case 'missing':
    case 'damaged':
    case 'unknown_version':
      log.warn(
        { ...place, offset, map: decoded.kind },
        'no usable map of finished records: repeating all from the committed offset',
      );
      return { start: offset, map: null, committed };
    default:
      return decoded satisfies never;
  }
}

/** Behind the last record of which a slot may be held. */
export function heldEndOf(map: OffsetMap | null): number {
  const last = map?.holes.findLast(({ held }) => held !== null);
  return Math.max(map?.allHeld?.end ?? 0, last === undefined ? 0 : last.start + 1);
}

/** Whether a map that begins at `start` says that the record is finished. */
export function wasFinished(start: number, map: OffsetMap | null, offset: number): boolean {
  if (offset < start) return true;
  if (map === null || offset >= map.end) return false;
  let [low, high] = [0, map.holes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const hole = map.holes[middle]!;
    if (hole.start + hole.length <= offset) low = middle + 1;
    else high = middle;
  }
  const hole = map.holes[low];
  return hole === undefined || hole.start > offset;
}
