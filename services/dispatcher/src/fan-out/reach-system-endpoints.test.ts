import { decodeDelivery, decodeEvent, decodeWait, type EventMeta, encodeEvent } from '@posthorn/contracts';
import type { Lookup, TenantConfig } from '@posthorn/tenant-config';
import { describe, expect, test } from 'vitest';
import { eventMeta, fakeRecord, tenantConfig } from '../../test/fakes.ts';
import { fanOut, setUpFanOut } from '../../test/fan-out.ts';
import type { FindConfig } from './find-config.ts';

const SYSTEM_REVISION = 9;
const OPERATOR_LANE = 0;

/** An operator with as many system endpoints, beside one webhook of its own. */
function operatorConfig(systemEndpoints: number): TenantConfig {
  const config = tenantConfig(systemEndpoints + 1, {
    tenantId: 'posthorn',
    lanes: [OPERATOR_LANE],
    revision: SYSTEM_REVISION,
  });
  const [own, ...system] = [...config.endpoints.values()];
  const endpoints = [own!, ...system.map((each) => ({ ...each, scope: 'all_tenants' as const }))];
  return { ...config, endpoints: new Map(endpoints.map((each) => [each.endpointId, each])) };
}

const systemIds = (config: TenantConfig): string[] =>
  [...config.endpoints.values()]
    .filter(({ scope }) => scope === 'all_tenants')
    .map((each) => each.endpointId);

async function reach(operator: Lookup, given: Partial<EventMeta> = {}, tenant = tenantConfig(1)) {
  const asked: string[] = [];
  const findConfig: FindConfig = ({ tenantId, revision }) => {
    asked.push(`${tenantId}@${revision}`);
    return tenantId === 'posthorn' ? operator : { kind: 'found', config: tenant };
  };
  const bundle = setUpFanOut({ findConfig });
  const event = eventMeta({ systemRevision: SYSTEM_REVISION, ...given });
  const record = await fanOut(bundle, fakeRecord({ headers: encodeEvent(event) }));
  const of = (tenantId: string) => bundle.producer.sent.filter(({ key }) => key === tenantId);
  return { ...bundle, record, event, asked, sentTo: { tenant: of('acme'), operator: of('posthorn') } };
}

const found = (config: TenantConfig): Lookup => ({ kind: 'found', config });

describe('system endpoints', () => {
  test("get an event in the operator's own lane, told whose it is, beside the tenant's endpoints", async () => {
    const config = operatorConfig(2);
    const { sentTo, event, record, observed } = await reach(found(config));
    expect(sentTo.tenant).toHaveLength(1);
    const [out, ...more] = sentTo.operator;
    expect(more).toEqual([]);
    expect(out).toMatchObject({ topic: 'deliveries', partition: OPERATOR_LANE, key: 'posthorn' });
    expect(out!.value).toBe(record.value);
    const { systemRevision: _, ...rest } = event;
    expect(decodeEvent(out!.headers)).toEqual({
      ...rest,
      tenantId: 'posthorn',
      sourceTenantId: 'acme',
      revision: SYSTEM_REVISION,
    });
    expect(decodeDelivery(out!.headers).slots).toEqual(systemIds(config));
    expect(observed).toEqual([
      { records: 1, slots: 1 },
      { system: 2, records: 1 },
    ]);
    expect(record.completed).toBe(true);
  });

  test("are journaled as deliveries of the operator's tenant, apart from the tenant's", async () => {
    const config = operatorConfig(1);
    const { entries, event } = await reach(found(config));
    expect(entries).toMatchObject([
      { kind: 'dispatched', tenantId: 'acme', eventId: event.eventId },
      { kind: 'dispatched', tenantId: 'posthorn', eventId: event.eventId, endpointIds: systemIds(config) },
    ]);
  });

  test('are matched by the second stamp', async () => {
    const config = operatorConfig(1);
    const [id] = systemIds(config);
    const endpoint = config.endpoints.get(id!)!;
    const versions = [{ ...endpoint.versions[0]!, validFrom: SYSTEM_REVISION }];
    const since = { ...config, endpoints: new Map([[id!, { ...endpoint, versions }]]) };
    expect((await reach(found(since))).sentTo.operator).toHaveLength(1);
    const before = { systemRevision: SYSTEM_REVISION - 1, revision: SYSTEM_REVISION };
    expect((await reach(found(since), before)).sentTo.operator).toEqual([]);
  });

  test('are not looked for when the event has no second stamp', async () => {
    const bundle = setUpFanOut();
    await fanOut(bundle);
    expect(bundle.producer.sent.map(({ key }) => key)).toEqual(['acme']);
  });

  test('none of which wants it leave no trace of it', async () => {
    const { sentTo, entries, record } = await reach(found(operatorConfig(0)));
    expect(sentTo.operator).toEqual([]);
    expect(entries).toHaveLength(1);
    expect(record.completed).toBe(true);
  });

  test("that cannot be known wait by themselves: the tenant's deliveries go out", async () => {
    const { sentTo, producer, record, event } = await reach({ kind: 'unavailable', reason: 'away' });
    const [delivered, waiting] = producer.sent;
    expect(delivered).toMatchObject({ topic: 'deliveries', key: 'acme' });
    expect(waiting!.topic).toBe('retry.1s');
    expect(decodeWait(waiting!.headers)).toMatchObject({ returnTo: 'events', bounces: 1 });
    expect(decodeEvent(waiting!.headers)).toEqual({ ...event, systemOnly: true });
    expect(sentTo.operator).toEqual([]);
    expect(record.completed).toBe(true);
  });

  test('and what waited for them reaches nobody else when it comes back', async () => {
    const { sentTo, asked } = await reach(found(operatorConfig(1)), { systemOnly: true });
    expect(asked).toEqual([`posthorn@${SYSTEM_REVISION}`]);
    expect(sentTo.tenant).toEqual([]);
    expect(sentTo.operator).toHaveLength(1);
  });
});
