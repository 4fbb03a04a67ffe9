import { expect, test } from 'vitest';
import { buildReplay } from './build-replay.ts';
import { mintEndpointId, mintEventId } from './ids.ts';
import { tenantPartition } from './lanes.ts';
import { hasValidMac } from './record-mac.ts';
import { decodeEvent } from './records.ts';
import { decodeReplay } from './side-records.ts';

test('a replay carries its event as of the revision it is asked for at, byte for byte and sealed', () => {
  const macKey = Buffer.alloc(32, 1);
  const event = {
    eventId: mintEventId(1_700_000_000_000),
    tenantId: 'acme',
    type: 'order.created',
    labels: { env: 'prod' },
    contentType: 'application/json',
    retentionDays: 30,
    occurredAt: new Date(0),
    payload: Buffer.from('{"n":1.0}'),
  };
  const asked = { slots: [mintEndpointId(1)], replayId: 'r', expect: { run: 1, round: 2 } };
  const { payload, occurredAt, ...same } = event;

  const record = buildReplay({ macKey, topic: 'replay', partitions: 16 }, 'acme', event, {
    ...asked,
    revision: 7,
    traceparent: '00-a-b-01',
  });

  expect(record).toMatchObject({ topic: 'replay', partition: tenantPartition('acme', 16), key: 'acme' });
  expect(record.value).toBe(payload);
  expect(decodeEvent(record.headers)).toMatchObject({
    ...same,
    tenantId: 'acme',
    occurredAt: occurredAt.toISOString(),
    revision: 7,
    traceparent: '00-a-b-01',
  });
  expect(decodeReplay(record.headers)).toEqual({ replayId: 'r', expect: asked.expect, missing: false });
  expect(record.headers.ph_slots).toBe(asked.slots[0]);
  expect(hasValidMac(macKey, record.headers, payload)).toBe(true);
});

test('a replay to a system endpoint says whose event it is, under the seal', () => {
  const macKey = Buffer.alloc(32, 1);
  const event = {
    eventId: mintEventId(1_700_000_000_000),
    tenantId: 'acme',
    type: 'order.created',
    labels: {},
    contentType: 'application/json',
    retentionDays: 30,
    occurredAt: new Date(0),
    payload: Buffer.from('{}'),
  };
  const asked = { slots: [mintEndpointId(1)], replayId: 'r', revision: 7, traceparent: '' };
  const { headers } = buildReplay({ macKey, topic: 'replay', partitions: 16 }, 'posthorn', event, asked);
  expect(decodeEvent(headers)).toMatchObject({ tenantId: 'posthorn', sourceTenantId: 'acme' });
  expect(hasValidMac(macKey, headers, event.payload)).toBe(true);
  expect(hasValidMac(macKey, { ...headers, ph_source_tenant: 'other' }, event.payload)).toBe(false);
});
