import type { JournalEntry } from '@posthorn/contracts';
import { createFakeClock } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import type { CircuitMode } from '../schedule/breaker.ts';
import { createCircuitReport } from './report-circuits.ts';

function setup() {
  const clock = createFakeClock(1_000_000);
  const entries: JournalEntry[] = [];
  const report = createCircuitReport({
    workerId: 'w1',
    clock,
    journal: async (entry) => void entries.push(entry),
  });
  const turn = (from: CircuitMode, to: CircuitMode, probeInMs = 0, endpointId = 'ep_1') =>
    report.turned({ tenantId: 'acme', endpointId, from, to, probeAtMs: clock.monotonicMs() + probeInMs });
  return { clock, entries, report, turn };
}

const said = { kind: 'circuit', tenantId: 'acme', endpointId: 'ep_1', workerId: 'w1' };

test('a circuit is reported when it opens, when a probe has failed and when it closes, by the clock of the wall', () => {
  const { clock, entries, turn } = setup();
  turn('closed', 'open', 30_000);
  expect(entries).toEqual([{ ...said, nextProbeAtMs: 1_030_000, atMs: 1_000_000 }]);
  clock.advance(30_000);
  turn('open', 'half_open');
  turn('half_open', 'open', 60_000);
  expect(entries.slice(1)).toEqual([{ ...said, nextProbeAtMs: 1_090_000, atMs: 1_030_000 }]);
  turn('half_open', 'closed');
  expect(entries.slice(2)).toMatchObject([{ ...said, nextProbeAtMs: null }]);
});

test('a worker that stops takes its open circuits with it, each once', () => {
  const { entries, report, turn } = setup();
  turn('closed', 'open', 30_000);
  turn('closed', 'open', 30_000, 'ep_2');
  turn('half_open', 'closed', 0, 'ep_2');
  entries.splice(0);
  report.closeAll();
  report.closeAll();
  expect(entries).toMatchObject([{ ...said, nextProbeAtMs: null }]);
});
