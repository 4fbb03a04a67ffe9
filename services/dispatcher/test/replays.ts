import {
  type DeliveryState,
  deriveDeliveryId,
  encodeEvent,
  type JournalEntry,
  mintEndpointId,
  recordMac,
} from '@posthorn/contracts';
import type { NewReplay, ReplayRow } from '@posthorn/db';
import { systemClock } from '@posthorn/runtime';
import { expect, vi } from 'vitest';
import { createInFlight } from '../src/in-flight.ts';
import { createReplays, type ReplayOptions } from '../src/replay/consume-replays.ts';
import type { ReplayStore } from '../src/replay/replay-store.ts';
import { createSend } from '../src/send.ts';
import {
  eventMeta,
  type FakeRecord,
  fakeLog,
  fakeProducer,
  fakeRecord,
  fakeSetAside,
  noTracing,
  tenantConfig,
} from './fakes.ts';

/** Replays with what surrounds them, in memory. Needs fake timers. */

export const event = eventMeta();
export const [endpointId, neighbourId] = [mintEndpointId(1), mintEndpointId(2)] as const;
export const MAC_KEY = Buffer.alloc(32, 7);
/** Of another key of the ring. */
const OTHER_MAC_KEY = Buffer.alloc(32, 8);

/** What Postgres does with claims, in memory: unique by source and endpoint, and by delivery and round. */
export function fakeStore() {
  const standings = new Map<
    string,
    { run: number; round: number; state: DeliveryState; deliveryId: string }
  >();
  const replays: Array<NewReplay & Pick<ReplayRow, 'state' | 'reason'>> = [];
  const asked = { times: 0, failing: false };
  const sourceOf = (replay: Pick<NewReplay, 'source' | 'endpointId'>) =>
    JSON.stringify([replay.source, replay.endpointId]);
  const row = (replay: (typeof replays)[number]): ReplayRow => ({ ...replay, createdAt: new Date(0) });
  const answer = <T>(value: () => T): Promise<T> => {
    asked.times += 1;
    return asked.failing ? Promise.reject(new Error('connection refused')) : Promise.resolve(value());
  };
  const findMine = (source: NewReplay['source'], endpoint: string) =>
    replays.find((each) => sourceOf(each) === sourceOf({ source, endpointId: endpoint }));
  const store: ReplayStore = {
    findStanding: (_tenant, _event, endpoint) => answer(() => standings.get(endpoint)),
    findReplay: (source, endpoint) =>
      answer(() => {
        const mine = findMine(source, endpoint);
        return mine ? row(mine) : null;
      }),
    claim: (replay) =>
      answer(() => {
        const mine = findMine(replay.source, replay.endpointId);
        if (mine) return { kind: 'mine', replay: row(mine) };
        const taken = replays.some(
          (each) =>
            each.state === 'dispatched' &&
            each.deliveryId === replay.deliveryId &&
            each.round === replay.round,
        );
        if (taken) return { kind: 'taken' };
        replays.push({ ...replay, state: 'dispatched', reason: null });
        return { kind: 'claimed' };
      }),
    refuse: (replay, reason) => answer(() => void replays.push({ ...replay, state: 'refused', reason })),
  };
  const stand = (endpoint: string, state: DeliveryState, run = 0, round = 0) =>
    standings.set(endpoint, {
      state,
      run,
      round,
      deliveryId: deriveDeliveryId(event.eventId, endpoint, run),
    });
  return { store, stand, replays, asked };
}

export function setupReplays(options: Partial<ReplayOptions> = {}) {
  const producer = fakeProducer();
  const { log, lines } = fakeLog();
  const entries: JournalEntry[] = [];
  const { setAside, reasons: setAsides, rows } = fakeSetAside('replay', log);
  const results: string[] = [];
  const fake = fakeStore();
  const inFlight = createInFlight({ maxRecords: 4, maxBytes: 1e6, resume: () => undefined });
  const handler = createReplays({
    store: fake.store,
    clock: systemClock,
    log,
    macKeys: [OTHER_MAC_KEY, MAC_KEY],
    maxUnknownRecords: 8,
    maxUnknownBytes: 1e6,
    maxUnknownWaitMs: 10_000,
    configs: { get: async () => ({ kind: 'found', config: tenantConfig(0, { lanes: [3] }) }) },
    inFlight,
    send: createSend({ producer, mayAct: () => true, log, onRetry: () => undefined }),
    journal: { append: async (entry: JournalEntry) => void entries.push(entry) } as never,
    deliveriesTopic: 'deliveries',
    deadLettersTopic: 'dead-letters',
    setAside,
    tracing: noTracing,
    observe: (result) => results.push(result),
    ...options,
  });
  const replay = async (record: FakeRecord = asked()) => {
    expect(handler.offer(record)).toBe(true);
    await vi.advanceTimersByTimeAsync(0);
    return record;
  };
  return { ...fake, handler, inFlight, producer, lines, entries, setAsides, rows, results, replay };
}

/** A record of `replay` as the API makes it, with a mac over what it says. */
export function asked(
  slots: readonly string[] = [endpointId],
  offset = 7,
  headers: Record<string, string> = {},
): FakeRecord {
  const record = fakeRecord({ topic: 'replay', partition: 1, offset });
  const said = { ...encodeEvent(event), ph_slots: slots.join(), ph_replay_id: 'r-1', ...headers };
  return Object.assign(record, { headers: { ph_mac: recordMac(MAC_KEY, said, record.value), ...said } });
}
