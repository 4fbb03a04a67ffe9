import type { Lookup } from '@posthorn/tenant-config';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { eventMeta, gate, tenantConfig } from '../../test/fakes.ts';
import { createFindConfig } from './find-config.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setup(cachedRevision: number | null) {
  const cached = cachedRevision === null ? undefined : tenantConfig(1, { revision: cachedRevision });
  const lookups: Array<ReturnType<typeof gate<Lookup>> & { revision: number | undefined }> = [];
  const configs = {
    peek: () => cached,
    get: (_: string, revision?: number) => {
      const lookup = gate<Lookup>();
      lookups.push({ ...lookup, revision });
      return lookup.passed;
    },
  };
  return { findConfig: createFindConfig({ configs, maxWaitMs: 1_000, maxWaiting: 2 }), cached, lookups };
}

test.each([5, 6])(
  'a cached configuration of revision %d answers an event of revision 5 at once',
  (revision) => {
    const { findConfig, cached, lookups } = setup(revision);
    expect(findConfig(eventMeta({ revision: 5 }))).toEqual({ kind: 'found', config: cached });
    expect(lookups).toEqual([]);
  },
);

test('a copy older than the event is loaded anew, at that revision at least', async () => {
  const { findConfig, lookups } = setup(4);
  const found = findConfig(eventMeta({ revision: 5 }));
  expect(lookups[0]!.revision).toBe(5);
  lookups[0]!.open({ kind: 'unknown_tenant' });
  expect(await found).toEqual({ kind: 'unknown_tenant' });
});

test('a look-up that takes too long is unavailable', async () => {
  const { findConfig } = setup(null);
  const found = findConfig(eventMeta());
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await found).toMatchObject({ kind: 'unavailable' });
});

test('a look-up that throws is unavailable', async () => {
  const { findConfig, lookups } = setup(null);
  const found = findConfig(eventMeta());
  lookups[0]!.fail(new Error('connection refused'));
  expect(await found).toEqual({ kind: 'unavailable', reason: 'Error: connection refused' });
});

test('look-ups waited for at once are bounded, and an answer makes room', async () => {
  const { findConfig, lookups } = setup(null);
  const first = findConfig(eventMeta());
  void findConfig(eventMeta());
  expect(await findConfig(eventMeta())).toMatchObject({ kind: 'unavailable' });
  expect(lookups).toHaveLength(2);
  lookups[0]!.open({ kind: 'unknown_tenant' });
  await first;
  void findConfig(eventMeta());
  expect(lookups).toHaveLength(3);
});
