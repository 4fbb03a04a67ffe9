import { type JournalEntry, parseTiers, topicNames } from '@posthorn/contracts';
import { createFakeClock } from '@posthorn/testkit';
import { expect } from 'vitest';
import { createFanOut, type FanOutOptions } from '../src/fan-out/consume-events.ts';
import { createInFlight } from '../src/in-flight.ts';
import { createRareWarning } from '../src/rare-warning.ts';
import { createSend } from '../src/send.ts';
import { fakeLog, fakeProducer, fakeRecord, fakeSetAside, noTracing, tenantConfig } from './fakes.ts';

const names = topicNames('');
export const LANES = 16;
export const BROKER_NOW_MS = 1_700_000_000_000;

export function setUpFanOut(options: Partial<FanOutOptions> = {}) {
  const producer = fakeProducer();
  const { log, lines } = fakeLog();
  const entries: JournalEntry[] = [];
  const observed: unknown[] = [];
  const journaled = { append: async (entry: JournalEntry) => void entries.push(entry) };
  const inFlight = createInFlight({ maxRecords: 2, maxBytes: 1e6, resume: () => undefined });
  const { setAside, reasons, rows } = fakeSetAside('fan_out', log);
  const handler = createFanOut({
    findConfig: () => ({ kind: 'found', config: tenantConfig(3) }),
    inFlight,
    send: createSend({ producer, mayAct: () => true, log, onRetry: () => undefined }),
    journal: journaled as never,
    deliveriesTopic: names.deliveries,
    clock: createFakeClock(),
    setAside,
    brokerClock: { nowMs: () => BROKER_NOW_MS },
    tracing: noTracing,
    warnPutAside: createRareWarning(log, 'events put aside'),
    tiers: parseTiers('1s,4s,16s,64s,256s'),
    lanes: LANES,
    tierTopic: names.tier,
    observe: {
      fannedOut: (records, slots) => observed.push({ records, slots }),
      system: (records, slots) => observed.push({ system: slots, records }),
      putAside: () => observed.push('put aside'),
    },
    ...options,
  });
  return { handler, inFlight, producer, lines, entries, setAsides: reasons, rows, observed, journaled };
}

export async function fanOut(bundle: ReturnType<typeof setUpFanOut>, record = fakeRecord()) {
  expect(bundle.handler.offer(record)).toBe(true);
  await bundle.inFlight.idle();
  return record;
}
