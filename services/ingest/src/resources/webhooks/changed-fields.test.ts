import type { EndpointRow } from '@posthorn/db';
import { expect, test } from 'vitest';
import { changedFields } from './changed-fields.ts';

const now = {
  url: 'https://a.example/',
  eventTypes: ['a', 'b'],
  labels: { x: '1', y: '2' },
  filter: null,
  retryScheduleMs: [1, 2],
  maxPerSec: null,
} as unknown as EndpointRow;

test('a field that is so already is no change, in whichever order its members stand', () => {
  expect(
    changedFields(now, {
      url: 'https://a.example/',
      eventTypes: ['a', 'b'],
      labels: { y: '2', x: '1' },
      filter: null,
      retryScheduleMs: [1, 2],
      maxPerSec: null,
    }),
  ).toEqual({});
});

test('what differs is a change: a value, the order of a list, a limit that is taken away', () => {
  const changes = {
    url: 'https://b.example/',
    eventTypes: ['b', 'a'],
    retryScheduleMs: null,
    filter: { $not: {} },
  };
  expect(changedFields(now, { ...changes, maxPerSec: null })).toEqual(changes);
});

test('a key is one only where there is none', () => {
  const signingKey = { sealed: 'sealed', publicKey: 'whpk_new' };
  const without = { ...now, publicKeys: [] };
  const having = { ...now, publicKeys: [{ publicKey: 'whpk_old', expiresAt: null }] };
  expect(changedFields(without, { signingKey })).toEqual({ signingKey });
  expect(changedFields(having, { signingKey })).toEqual({});
});
