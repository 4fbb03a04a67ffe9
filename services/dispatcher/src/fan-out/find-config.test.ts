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
  return {
    findConfig: createFindConfig({ configs, maxWaitMs: 1_000, monotonicMs: () => performance.now() }),
    cached,
    lookups,
  };
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

test('as long as look-ups are answered, any number of them is waited for', () => {
  const { findConfig, lookups } = setup(null);
  for (let i = 0; i < 500; i++) void findConfig(eventMeta());
  expect(lookups).toHaveLength(500);
});

test('once one could not be answered, few are waited for at once and the rest is unavailable', async () => {
  const { findConfig, lookups } = setup(null);
  void findConfig(eventMeta());
  await vi.advanceTimersByTimeAsync(1_000);
  for (let i = 0; i < 100; i++) void findConfig(eventMeta());
  expect(lookups).toHaveLength(1 + 16);
  expect(await findConfig(eventMeta())).toMatchObject({ kind: 'unavailable' });
});

test('an answer ends it', async () => {
  const { findConfig, lookups } = setup(null);
  void findConfig(eventMeta());
  await vi.advanceTimersByTimeAsync(1_000);
  const probe = findConfig(eventMeta());
  lookups[1]!.open({ kind: 'unknown_tenant' });
  await probe;
  for (let i = 0; i < 100; i++) void findConfig(eventMeta());
  expect(lookups).toHaveLength(102);
});

test('so does a second without a failure', async () => {
  const { findConfig, lookups } = setup(null);
  const first = findConfig(eventMeta());
  lookups[0]!.open({ kind: 'unavailable', reason: 'away' });
  await first;
  await vi.advanceTimersByTimeAsync(1_000);
  for (let i = 0; i < 100; i++) void findConfig(eventMeta());
  expect(lookups).toHaveLength(101);
});
