import { expect, test } from 'vitest';
import { makeEndpoint, NOW } from '../../test/factories.ts';
import { createGoneEndpoints, MAX_GONE_ENDPOINTS } from './gone-endpoints.ts';

test('an endpoint is gone for a minute', () => {
  const gone = createGoneEndpoints();
  const endpoint = makeEndpoint();
  expect(gone.has(endpoint, NOW)).toBe(false);
  gone.add(endpoint, NOW);
  expect(gone.has(endpoint, NOW + 59_999)).toBe(true);
  expect(gone.has(makeEndpoint(), NOW)).toBe(false);
  expect(gone.has(endpoint, NOW + 60_000)).toBe(false);
  expect(gone.size).toBe(0);
});

test('an endpoint with another URL is not the one that is gone', () => {
  const gone = createGoneEndpoints();
  const endpoint = makeEndpoint();
  gone.add(endpoint, NOW);
  expect(gone.has({ ...endpoint, url: 'https://receiver.example/moved' }, NOW)).toBe(false);
  expect(gone.size).toBe(0);
});

test('once the configuration says so it is believed: an endpoint enabled again is tried at once', () => {
  const gone = createGoneEndpoints();
  const endpoint = makeEndpoint();
  gone.add(endpoint, NOW);
  expect(gone.has({ ...endpoint, state: 'disabled' }, NOW)).toBe(false);
  expect(gone.has(endpoint, NOW)).toBe(false);
});

test('one that was disabled and enabled again while nobody looked is tried at once', () => {
  const gone = createGoneEndpoints();
  const version = { validFrom: 3, validUntil: null, eventTypes: [], labels: {} };
  const endpoint = makeEndpoint({ versions: [version] });
  gone.add(endpoint, NOW);
  expect(gone.has({ ...endpoint }, NOW)).toBe(true);
  const enabledAgain = [
    { ...version, validUntil: 5 },
    { ...version, validFrom: 8 },
  ];
  expect(gone.has({ ...endpoint, versions: enabledAgain }, NOW)).toBe(false);
});

test('beyond the bound the oldest is forgotten', () => {
  const gone = createGoneEndpoints();
  const first = makeEndpoint();
  gone.add(first, NOW);
  for (let i = 0; i < MAX_GONE_ENDPOINTS; i++) gone.add({ ...first, endpointId: `ep_${i}` }, NOW);
  expect(gone.size).toBe(MAX_GONE_ENDPOINTS);
  expect(gone.has(first, NOW)).toBe(false);
});
