import { type Labels, matches, type RoutedEvent, routedEvent } from '@posthorn/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  hasSystemEndpoints,
  matchingEndpoints as match,
  matchingSystemEndpoints,
  passesFilter,
} from './match-endpoints.ts';
import type { EndpointConfig, EndpointVersion, TenantConfig } from './tenant-config.ts';

function tenant(endpoints: Record<string, EndpointVersion[]>): TenantConfig {
  const config = (endpointId: string, versions: EndpointVersion[]): EndpointConfig => ({
    endpointId,
    tenantId: 't',
    url: 'https://example.com',
    state: 'active',
    secrets: [],
    method: 'POST',
    headers: [],
    retryScheduleMs: null,
    attemptTimeoutMs: null,
    stateReason: null,
    pauseMode: null,
    maxConcurrency: null,
    maxPerSec: null,
    maxRetryMs: null,
    versions,
  });
  return {
    tenantId: 't',
    revision: 100,
    lanes: [0],
    drainingLanes: [],
    lanesRevision: 0,
    cancellations: [],
    retentionDays: 30,
    quotas: {
      maxEventsPerSec: 100,
      maxConcurrentDeliveries: 50,
      maxDlqSize: 100,
      maxWebhooks: 1_000,
      dlqPolicy: 'refuse',
    },
    endpoints: new Map(Object.entries(endpoints).map(([id, versions]) => [id, config(id, versions)])),
  };
}

const version = (eventTypes: string[], over: Partial<EndpointVersion> = {}): EndpointVersion => ({
  validFrom: 1,
  validUntil: null,
  eventTypes,
  labels: {},
  ...over,
});

/** An event without a payload to look at. */
const routed = (type: string, labels: Labels = {}): RoutedEvent => ({
  type,
  labels,
  payload: () => undefined,
});

const matchingEndpoints = (config: TenantConfig, type: string, labels: Labels, revision: number) =>
  match(config, routed(type, labels), revision);

describe('an endpoint gets an event', () => {
  test('when a filter is its type, a prefix of it, or every type', () => {
    const config = tenant({
      exact: [version(['order.created'])],
      prefix: [version(['order.*'])],
      every: [version(['*'])],
      other: [version(['order', 'order.created.x', 'ord.*'])],
    });
    expect(matchingEndpoints(config, 'order.created', {}, 5)).toEqual(['exact', 'prefix', 'every']);
    expect(matchingEndpoints(config, 'order.created.x', {}, 5)).toEqual(['prefix', 'every', 'other']);
    expect(matchingEndpoints(config, 'order', {}, 5)).toEqual(['every', 'other']);
  });

  test('once, however many of its filters match', () => {
    const config = tenant({ a: [version(['*', 'order.*', 'order.created'])] });
    expect(matchingEndpoints(config, 'order.created', {}, 5)).toEqual(['a']);
  });

  test('when the event carries all of its labels', () => {
    const config = tenant({ a: [version(['*'], { labels: { region: 'eu', plan: 'pro' } })] });
    expect(matchingEndpoints(config, 'x', { region: 'eu', plan: 'pro', more: '1' }, 5)).toEqual(['a']);
    expect(matchingEndpoints(config, 'x', { region: 'eu' }, 5)).toEqual([]);
  });

  test('from the change that made its version up to, not including, the one that closed it', () => {
    const config = tenant({
      a: [version(['x'], { validFrom: 3, validUntil: 6 }), version(['y'], { validFrom: 8 })],
    });
    const at = (type: string) =>
      [2, 3, 5, 6, 7, 8, 9].filter((r) => matchingEndpoints(config, type, {}, r).length);
    expect(at('x')).toEqual([3, 5]);
    expect(at('y')).toEqual([8, 9]);
  });
});

describe('a content filter', () => {
  const large = { payload: { total: { $gte: 100 } } };
  const event = (total: number, type = 'order.created'): RoutedEvent =>
    routedEvent({ type, labels: {}, contentType: 'application/json' }, Buffer.from(`{"total":${total}}`));

  test('keeps an event from its endpoint alone', () => {
    const config = tenant({ all: [version(['*'])], large: [version(['*'], { filter: large })] });
    expect(match(config, event(100), 5)).toEqual(['all', 'large']);
    expect(match(config, event(99), 5)).toEqual(['all']);
  });

  test('holds with the version that it is of', () => {
    const config = tenant({
      a: [version(['*'], { validUntil: 4 }), version(['*'], { validFrom: 4, filter: large })],
    });
    expect([3, 4].map((revision) => match(config, event(1), revision))).toEqual([['a'], []]);
  });

  test('has the payload looked at only when type and labels match', () => {
    const config = tenant({
      a: [version(['user.*'], { filter: large }), version(['*'], { labels: { a: 'b' }, filter: large })],
    });
    const payload = () => {
      throw new Error('looked at');
    };
    expect(match(config, { type: 'order.created', labels: {}, payload }, 5)).toEqual([]);
    expect(() => match(config, { type: 'user.created', labels: {}, payload }, 5)).toThrow('looked at');
  });

  test('that is none matches nothing', () => {
    const config = tenant({ a: [version(['*'], { filter: { payload: { $like: 'x' } } })] });
    expect(match(config, event(1), 5)).toEqual([]);
  });

  test('of the last subscription says what a replay of missing events wants', () => {
    const config = tenant({ a: [version(['*']), version(['*'], { filter: large })], b: [version(['x'])] });
    const { a, b } = Object.fromEntries(config.endpoints);
    expect([passesFilter(a!, event(100)), passesFilter(a!, event(99)), passesFilter(b!, event(99))]).toEqual([
      true,
      false,
      true,
    ]);
  });
});

test("system endpoints get the events of others and none of the operator's own", () => {
  const config = tenant({ own: [version(['*'])], system: [version(['order.*'], { validFrom: 3 })] });
  const system = { ...config.endpoints.get('system')!, scope: 'all_tenants' as const };
  const operator = { ...config, endpoints: new Map([...config.endpoints, ['system', system]]) };
  expect([hasSystemEndpoints(config), hasSystemEndpoints(operator)]).toEqual([false, true]);
  expect(match(operator, routed('order.created'), 5)).toEqual(['own']);
  expect(matchingSystemEndpoints(operator, routed('order.created'), 5)).toEqual(['system']);
  expect(matchingSystemEndpoints(operator, routed('order.created'), 2)).toEqual([]);
  expect(matchingSystemEndpoints(operator, routed('user.created'), 5)).toEqual([]);
  expect(matchingSystemEndpoints(config, routed('order.created'), 5)).toEqual([]);
});

test('the index finds what trying every version finds', () => {
  const part = fc.constantFrom('a', 'b', 'c');
  const type = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.'));
  const filter = fc.oneof(
    type,
    type.map((text) => `${text}.*`),
    fc.constant('*'),
  );
  const labels: fc.Arbitrary<Labels> = fc.dictionary(fc.constantFrom('k', 'l'), fc.constantFrom('1', '2'));
  const versions = fc.record({
    validFrom: fc.integer({ min: 1, max: 5 }),
    validUntil: fc.constant(null),
    eventTypes: fc.array(filter, { minLength: 1, maxLength: 4 }),
    labels,
  });
  fc.assert(
    fc.property(fc.array(versions, { maxLength: 12 }), type, labels, (all, eventType, carried) => {
      const config = tenant(Object.fromEntries(all.map((each, i) => [`e${i}`, [each]])));
      const expected = all.flatMap((each, i) =>
        each.validFrom <= 3 && matches(each, eventType, carried) ? [`e${i}`] : [],
      );
      expect(matchingEndpoints(config, eventType, carried, 3)).toEqual(expected);
    }),
  );
});
