import { describe, expect, test } from 'vitest';
import { spanOf } from './schema.ts';

const NOON = '2026-11-22T12:00:00Z';

describe('the time of a filter of dead letters', () => {
  test('has both its ends in it by the names that all lists have', () => {
    expect(spanOf({ min_created_at: NOON, max_created_at: NOON })).toEqual({
      since: '2026-11-22T12:00:00.000Z',
      until: '2026-11-22T12:00:00.001Z',
    });
  });

  test('ends before its end by the names of before', () => {
    expect(spanOf({ since: NOON, until: NOON })).toEqual({
      since: '2026-11-22T12:00:00.000Z',
      until: '2026-11-22T12:00:00.000Z',
    });
  });

  test('is by the names of all lists where both are given', () => {
    const given = { since: '2026-01-01T00:00:00Z', min_created_at: NOON };
    expect(spanOf(given)).toEqual({ since: '2026-11-22T12:00:00.000Z', until: undefined });
  });

  test('has no end where that is the last moment there is a text for', () => {
    expect(spanOf({ max_created_at: '9999-12-31T23:59:59.999Z' })).toEqual({
      since: undefined,
      until: undefined,
    });
  });
});
