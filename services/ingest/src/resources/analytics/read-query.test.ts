import { GRAIN_MS, type RollupQuery } from '@posthorn/db';
import { describe, expect, test } from 'vitest';
import { isProblem } from '../../http/problem.ts';
import { readQuery } from './read-query.ts';
import type { MetricsQueryText } from './schema.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 12, 34, 56);
const ago = (ms: number): string => new Date(NOW_MS - ms).toISOString();
const { hour, day } = GRAIN_MS;
const TENANT = { tenantId: 'acme', endpointIds: null };

function asked(query: MetricsQueryText, scope: Parameters<typeof readQuery>[1] = TENANT): RollupQuery {
  const found = readQuery(query, scope, NOW_MS);
  if (isProblem(found)) throw new Error(found.errors?.map((each) => each.pointer).join());
  return found;
}

function refused(query: MetricsQueryText, scope: Parameters<typeof readQuery>[1] = TENANT): string[] {
  const found = readQuery(query, scope, NOW_MS);
  return isProblem(found) ? found.errors!.map((each) => each.pointer) : [];
}

describe('a question about counts', () => {
  test('is about the last day by hour when nothing is said', () => {
    expect(asked({})).toMatchObject({
      grain: 'hour',
      byTime: true,
      by: [],
      fromMs: Date.UTC(2026, 10, 21, 12),
      toMs: NOW_MS,
      limit: 1_001,
    });
  });

  test.each([
    ['an hour', { from: ago(hour) }, 'minute'],
    ['an hour of which no minutes are kept', { from: ago(4 * day), to: ago(4 * day - hour) }, 'hour'],
    ['two weeks', { from: ago(14 * day) }, 'hour'],
    ['a week of which no hours are kept', { from: ago(60 * day), to: ago(53 * day) }, 'day'],
    ['a quarter', { from: ago(90 * day) }, 'day'],
    ['what is wanted', { from: ago(90 * day), granularity: 'hour' }, 'hour'],
    ['a webhook by type', { group_by: 'webhook,event_type', from: ago(hour) }, 'day'],
  ] as const)('takes the finest that is fit for %s', (_name, query, grain) => {
    expect(asked(query).grain).toBe(grain);
  });

  test('adds all of its time up for a total', () => {
    expect(asked({ granularity: 'total', from: ago(400 * day) })).toMatchObject({
      grain: 'day',
      byTime: false,
    });
  });

  test('calls webhooks endpoints, as the code does', () => {
    expect(asked({ group_by: 'webhook, status_class' }).by).toEqual(['endpoint', 'status_class']);
  });

  test.each([
    ['time that runs backwards', { from: ago(0), to: ago(hour) }, '?from'],
    ['minutes of months', { from: ago(60 * day), granularity: 'minute' }, '?granularity'],
    [
      'hours of a webhook by type',
      { group_by: 'webhook', event_type: 'a.b', granularity: 'hour' },
      '?granularity',
    ],
  ] as const)('is refused for %s', (_name, query, pointer) => {
    expect(refused(query)).toEqual([pointer]);
  });

  test('by webhook is of one tenant', () => {
    expect(refused({ group_by: 'webhook' }, { tenantId: null, endpointIds: null })).toEqual(['?group_by']);
  });
});
