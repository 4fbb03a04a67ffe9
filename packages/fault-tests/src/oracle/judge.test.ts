import { expect, test } from 'vitest';
import { complaints, judge, type Verdict } from './judge.ts';
import type { Arrival, Evidence, Fault, RecordedDelivery, SentEvent, Target } from './ledgers.ts';

/** Two tenants, an event each, delivered and recorded as they should be; tests break one thing at a time. */
const TARGETS: Target[] = [
  { tenantId: 'a', endpointId: 'a-all', path: '/a/all', eventTypes: ['*'] },
  { tenantId: 'a', endpointId: 'a-odd', path: '/a/odd', eventTypes: ['odd'] },
  { tenantId: 'b', endpointId: 'b-all', path: '/b/all', eventTypes: ['*'] },
];

const event = (n: number, tenantId: string, fields: Partial<SentEvent> = {}): SentEvent => ({
  n,
  tenantId,
  type: 'odd',
  hash: `hash-${n}`,
  sentAtMs: 1_000 * n,
  answeredAtMs: 1_000 * n + 5,
  answered: 'ok',
  eventId: `event-${n}`,
  detail: '202',
  ...fields,
});

const arrival = (n: number, target: Target, fields: Partial<Arrival> = {}): Arrival => ({
  atMs: 1_000 * n + 20,
  path: target.path,
  deliveryId: `event-${n}_${target.endpointId}`,
  eventId: `event-${n}`,
  run: 0,
  attempt: 1,
  hash: `hash-${n}`,
  answeredAtMs: 1_000 * n + 30,
  status: 200,
  ...fields,
});

function recordOf(arrivals: readonly Arrival[]): Pick<Evidence, 'deliveries' | 'attempts'> {
  const deliveries = new Map<string, RecordedDelivery>();
  const attempts = new Map<string, Evidence['attempts'][number]>();
  for (const { deliveryId, eventId, path, run, attempt } of arrivals) {
    const endpointId = TARGETS.find((target) => target.path === path)!.endpointId;
    deliveries.set(deliveryId, { deliveryId, eventId, endpointId, run, state: 'success' });
    const key = `${deliveryId} ${attempt}`;
    const rows = (attempts.get(key)?.rows ?? 0) + 1;
    attempts.set(key, { deliveryId, run, attempt, rows, answered: rows, failure: null });
  }
  return { deliveries: [...deliveries.values()], attempts: [...attempts.values()] };
}

function evidence(fields: Partial<Evidence> = {}): Evidence {
  const arrivals = fields.arrivals ?? whole();
  return {
    sent: [event(1, 'a'), event(2, 'b')],
    targets: TARGETS,
    faults: [],
    ...recordOf(arrivals),
    ...fields,
    arrivals,
  };
}

const whole = (): Arrival[] => [arrival(1, TARGETS[0]!), arrival(1, TARGETS[1]!), arrival(2, TARGETS[2]!)];
const kill = (kind: Fault['kind'], fromMs: number, untilMs = fromMs + 1_500): Fault => ({
  kind,
  target: `${kind}-1`,
  what: 'SIGKILL',
  graceful: false,
  fromMs,
  untilMs,
});
const complaintsOf = (verdict: Verdict) => complaints(verdict);

test('nothing is complained of when all arrived once and stands in the record', () => {
  expect(complaintsOf(judge(evidence()))).toEqual([]);
});

test('a delivery of an accepted event that never arrived is lost', () => {
  const verdict = judge(evidence({ arrivals: whole().slice(1) }));
  expect(verdict.lost.map(({ endpointId }) => endpointId)).toEqual(['a-all']);
});

test('a delivery that was answered with a failure alone is lost, unless the record shows it as failed', () => {
  const arrivals = [arrival(1, TARGETS[0]!, { status: 500 }), ...whole().slice(1)];
  expect(judge(evidence({ arrivals })).lost).toHaveLength(1);
  const { deliveries, attempts } = recordOf(arrivals);
  const shown = deliveries.map((row) => (row.endpointId === 'a-all' ? { ...row, state: 'failed' } : row));
  expect(complaintsOf(judge(evidence({ arrivals, attempts, deliveries: shown })))).toEqual([]);
});

test('a success that the record alone knows of is lost all the same', () => {
  const verdict = judge(evidence({ ...recordOf(whole()), arrivals: whole().slice(1) }));
  expect(verdict.lost).toHaveLength(1);
  expect(verdict.withoutArrival).toHaveLength(1);
});

test('an arrival of a refused event, or of one that nobody sent, is a phantom', () => {
  const sent = [event(1, 'a', { answered: 'refused', eventId: null }), event(2, 'b')];
  expect(judge(evidence({ sent })).phantom).toHaveLength(2);
  const arrivals = [...whole(), arrival(9, TARGETS[0]!)];
  expect(judge(evidence({ arrivals })).phantom).toHaveLength(1);
});

test('an altered byte is seen, and so is a payload under the id of another event', () => {
  const altered = [...whole().slice(1), arrival(1, TARGETS[0]!, { hash: 'another' })];
  expect(judge(evidence({ arrivals: altered })).altered).toHaveLength(1);
  const swapped = [...whole().slice(1), arrival(1, TARGETS[0]!, { eventId: 'event-2' })];
  expect(judge(evidence({ arrivals: swapped })).altered).toHaveLength(1);
});

test('an arrival at the endpoint of another tenant, or at one that does not match, is seen', () => {
  const elsewhere = [...whole(), arrival(2, TARGETS[0]!)];
  expect(judge(evidence({ arrivals: elsewhere })).wrongTenant).toHaveLength(1);
  const sent = [event(1, 'a', { type: 'even' }), event(2, 'b')];
  expect(judge(evidence({ sent })).wrongTenant).toHaveLength(1);
});

test('a duplicate without a fault is never explained', () => {
  const arrivals = [...whole(), arrival(1, TARGETS[0]!, { atMs: 5_000, answeredAtMs: 5_010 })];
  const { repeats } = judge(evidence({ arrivals }));
  expect([repeats.all, repeats.bound, repeats.unexplained.length]).toEqual([1, 0, 1]);
});

test('a later attempt of what was answered 2xx is a duplicate, one of what failed is a retry', () => {
  const second = arrival(1, TARGETS[0]!, { attempt: 2, atMs: 5_000, answeredAtMs: 5_010 });
  expect(judge(evidence({ arrivals: [...whole(), second] })).repeats.unexplained).toHaveLength(1);
  const failed = arrival(1, TARGETS[0]!, { status: 500 });
  expect(judge(evidence({ arrivals: [failed, second, ...whole().slice(1)] })).repeats.all).toBe(0);
});

test('a kill accounts for what was in flight or just settled, once each, and no more', () => {
  const again = (atMs: number) => arrival(1, TARGETS[0]!, { atMs, answeredAtMs: atMs + 10 });
  const at = (killMs: number, ...repeatsAt: number[]) =>
    judge(evidence({ arrivals: [...whole(), ...repeatsAt.map(again)], faults: [kill('worker', killMs)] }));
  expect(at(1_025, 5_000).repeats).toMatchObject({ all: 1, bound: 2, unexplained: [] });
  expect(at(1_280, 5_000).repeats.unexplained).toEqual([]);
  expect(at(1_280, 5_000, 6_000).repeats.unexplained).toHaveLength(1);
  expect(at(1_900, 5_000).repeats.unexplained).toHaveLength(1);
  expect(at(500, 5_000).repeats.unexplained).toHaveLength(1);
});

test('a kill of one who neither sends nor keeps what was settled accounts for no duplicate', () => {
  const arrivals = [...whole(), arrival(1, TARGETS[0]!, { atMs: 5_000 })];
  for (const kind of ['ingest', 'dispatcher', 'recorder', 'postgres'] as const)
    expect(judge(evidence({ arrivals, faults: [kill(kind, 1_025)] })).repeats.unexplained).toHaveLength(1);
});

test('a cut between a worker and Kafka accounts for a duplicate, one of another service for none', () => {
  const arrivals = [...whole(), arrival(1, TARGETS[0]!, { atMs: 5_000 })];
  const cut = (target: string) => [{ ...kill('network', 1_025), target }];
  expect(judge(evidence({ arrivals, faults: cut('worker-1') })).repeats.unexplained).toEqual([]);
  expect(judge(evidence({ arrivals, faults: cut('dispatcher-1') })).repeats.unexplained).toHaveLength(1);
});

test('a second copy shows only when a later kill has lost the memory of the first', () => {
  const arrivals = [...whole(), arrival(1, TARGETS[0]!, { atMs: 5_000 })];
  const faults = [kill('dispatcher', 1_010), kill('worker', 4_000)];
  expect(judge(evidence({ arrivals, faults })).repeats).toMatchObject({ copies: 1, unexplained: [] });
});

test('a second copy also shows when its lane has moved in order, never without a crash before', () => {
  const arrivals = [...whole(), arrival(1, TARGETS[0]!, { atMs: 5_000 })];
  const moved = { ...kill('worker', 4_000), graceful: true };
  const explained = judge(evidence({ arrivals, faults: [kill('dispatcher', 1_010), moved] })).repeats;
  expect(explained).toMatchObject({ copies: 1, unexplained: [] });
  const orderly = { ...kill('dispatcher', 1_010), graceful: true };
  expect(judge(evidence({ arrivals, faults: [orderly, moved] })).repeats.unexplained).toHaveLength(1);
});

test('no graceful stop accounts for a duplicate', () => {
  const arrivals = [...whole(), arrival(1, TARGETS[0]!, { atMs: 5_000 })];
  const faults = [{ ...kill('worker', 1_025), graceful: true }];
  expect(judge(evidence({ arrivals, faults })).repeats.unexplained).toHaveLength(1);
});

test('what an earlier round was done with may not arrive again', () => {
  const arrivals = [...whole(), arrival(7, TARGETS[0]!)];
  const verdict = judge(evidence({ arrivals, earlier: new Set(['hash-7']) }));
  expect([verdict.phantom.length, verdict.repeats.unexplained.length]).toEqual([0, 1]);
});

test('a delivery in no final state, or without a row, is seen', () => {
  const { deliveries, attempts } = recordOf(whole());
  const open = deliveries.map((row, index) => (index === 0 ? { ...row, state: 'processing' } : row));
  expect(judge(evidence({ deliveries: open, attempts })).unrecorded).toHaveLength(1);
  expect(judge(evidence({ deliveries: deliveries.slice(1), attempts })).unrecorded).toHaveLength(1);
});

test('an arrival without an attempt row is seen, unless a crash hit it', () => {
  const { deliveries, attempts } = recordOf(whole());
  const cut = { deliveries, attempts: attempts.slice(1) };
  expect(judge(evidence(cut)).withoutRow).toHaveLength(1);
  expect(judge(evidence({ ...cut, faults: [kill('worker', 1_025)] })).withoutRow).toEqual([]);
  const late = { ...cut, faults: [kill('worker', 5_000)] };
  expect(judge(evidence(late)).withoutRow).toHaveLength(1);
  expect(judge(evidence({ ...late, settleMs: 10_000 })).withoutRow).toEqual([]);
});

test('an unknown event reaches all of its endpoints or none', () => {
  const sent = [event(1, 'a', { answered: 'unknown', eventId: null }), event(2, 'b')];
  expect(complaintsOf(judge(evidence({ sent })))).toEqual([]);
  expect(complaintsOf(judge(evidence({ sent, arrivals: whole().slice(2) })))).toEqual([]);
  expect(judge(evidence({ sent, arrivals: whole().slice(1) })).halfDelivered).toHaveLength(1);
});
