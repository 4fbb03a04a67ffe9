import {
  decodeEvent,
  encodeDeadLetter,
  encodeDelivery,
  encodeEvent,
  type Headers,
  recordMac,
} from '@posthorn/contracts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type FakeRecord, fakeRecord } from '../../test/fakes.ts';
import { asked, endpointId, event, MAC_KEY, setupReplays } from '../../test/replays.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const payload = Buffer.from('{"n":12345678901234567890, "s":"é","t":"tab\\t"}');

/** A dead letter as the worker leaves it. */
function deadLetter(): { headers: Headers; value: Buffer } {
  const headers = {
    ...encodeEvent(event),
    ...encodeDelivery({ slots: [endpointId], run: 0, round: 2, attempt: 6, lane: 3 }),
    ...encodeDeadLetter({
      reason: 'attempts_exhausted',
      lastFailure: 'http_5xx',
      lastStatus: 503,
      lastError: 'status 503: "busy, really"',
      attempts: 6,
      failedAtMs: 1_700_000_100_000,
    }),
    ph_spent_ms: '341000',
  };
  return { headers: { ...headers, ph_mac: recordMac(MAC_KEY, headers, payload) }, value: payload };
}

/** What comes back of a record that was shown as text and typed in again, in a partition that a person chose. */
function typedIn(topic: string, { headers, value }: ReturnType<typeof deadLetter>): FakeRecord {
  return fakeRecord({
    topic,
    partition: 13,
    offset: 5,
    key: null,
    value: Buffer.from(value.toString('utf8'), 'utf8'),
    headers: Object.fromEntries(Object.entries(headers).reverse()),
  });
}

const withHeader = (headers: Headers) => {
  const dead = deadLetter();
  return { ...dead, headers: { ...dead.headers, ...headers } };
};

describe.each([
  ['copied into replay', 'replay', {}],
  ['copied into replay with headers of the client', 'replay', { 'kafka-ui': 'yes', ph_replay: 'true' }],
  ['put into dead-letters with ph_replay', 'dead-letters', { ph_replay: 'true', 'x-note': 'a,b:c' }],
  ['put into dead-letters with a space too many', 'dead-letters', { ph_replay: ' true ' }],
])('a dead letter %s', (_, topic, extra) => {
  test('is sent again with a fresh budget, and with nothing that was added', async () => {
    const { replay, stand, producer, replays } = setupReplays();
    stand(endpointId, 'failed', 0, 2);
    const record = await replay(typedIn(topic, withHeader(extra)));
    expect(producer.sent).toHaveLength(1);
    const [out] = producer.sent;
    expect(out).toMatchObject({ topic: 'deliveries', partition: 3, key: 'acme' });
    expect(out!.value!.equals(payload)).toBe(true);
    expect(out!.headers).toMatchObject({ ph_run: '0', ph_round: '3', ph_attempt: '1' });
    const added = ['ph_replay', 'ph_mac', 'ph_reason', 'ph_spent_ms', 'ph_attempts', ...Object.keys(extra)];
    for (const name of added) expect(out!.headers).not.toHaveProperty(name);
    expect(replays).toMatchObject([{ source: { topic, partition: 13, offset: 5 } }]);
    expect(record.completed).toBe(true);
  });
});

test.each([
  ['without the header', {}],
  ['with another value', { ph_replay: 'yes' }],
])('a dead letter in dead-letters %s is completed at once, and nobody is asked', async (_, extra) => {
  const { replay, inFlight, producer, asked } = setupReplays();
  const record = await replay(typedIn('dead-letters', withHeader(extra)));
  expect(record.completed).toBe(true);
  expect([inFlight.records, producer.sent.length, asked.times]).toEqual([0, 0, 0]);
});

test.each<[string, () => { headers: Headers; value: Buffer }]>([
  ['its tenant changed', () => withHeader({ ce_tenant: 'globex' })],
  ['its endpoint changed', () => withHeader({ ph_slots: `ep_${'0'.repeat(32)}` })],
  ['an endpoint added', () => withHeader({ ph_slots: `${endpointId},ep_${'0'.repeat(32)}` })],
  [
    'its event changed',
    () => withHeader({ ce_id: event.eventId.replace(/.$/, (last) => (last === '0' ? '1' : '0')) }),
  ],
  ['its payload changed', () => ({ ...deadLetter(), value: Buffer.from('{"n":1}') })],
  [
    'a line end added to its payload',
    () => ({ ...deadLetter(), value: Buffer.concat([payload, Buffer.from('\n')]) }),
  ],
  ['its mac cut short', () => withHeader({ ph_mac: deadLetter().headers.ph_mac!.slice(0, 62) })],
  ['its mac left out', () => withHeader({ ph_mac: '' })],
])('a copy with %s is set aside where operators see it, and sent nowhere', async (_, changed) => {
  for (const topic of ['replay', 'dead-letters']) {
    const { replay, stand, producer, setAsides, rows } = setupReplays();
    stand(endpointId, 'failed', 0, 2);
    const dead = changed();
    const record = await replay(typedIn(topic, { ...dead, headers: { ...dead.headers, ph_replay: 'true' } }));
    expect([producer.sent.length, setAsides, record.completed]).toEqual([0, ['bad_mac'], true]);
    expect(rows).toMatchObject([
      { topic, partition: 13, offset: 5, reason: expect.stringMatching(/^bad_mac: /) },
    ]);
  }
});

test('the same copy made twice is sent once', async () => {
  const { replay, stand, producer, replays } = setupReplays();
  stand(endpointId, 'failed', 0, 2);
  await replay(typedIn('replay', deadLetter()));
  await replay(Object.assign(typedIn('replay', deadLetter()), { offset: 6 }));
  expect(producer.sent).toHaveLength(1);
  expect(replays.map(({ reason }) => reason)).toEqual([null, 'already_replayed']);
});

test("a dead letter of a system endpoint goes out as the operator's again, and still says whose event it is", async () => {
  const { replay, stand, producer, entries, setAsides } = setupReplays();
  stand(endpointId, 'failed');
  const headers = { ce_tenant: 'posthorn', ph_source_tenant: 'acme' };
  await replay(asked([endpointId], 7, headers));
  const [out] = producer.sent;
  expect(out).toMatchObject({ topic: 'deliveries', key: 'posthorn' });
  expect(decodeEvent(out!.headers)).toMatchObject({ tenantId: 'posthorn', sourceTenantId: 'acme' });
  expect(entries).toMatchObject([{ kind: 'replayed', tenantId: 'posthorn' }]);
  const forged = asked([endpointId], 8, headers);
  await replay(Object.assign(forged, { headers: { ...forged.headers, ph_source_tenant: 'other' } }));
  expect(setAsides).toEqual(['bad_mac']);
});
