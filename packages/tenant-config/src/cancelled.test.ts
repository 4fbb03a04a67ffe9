import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isCancelled } from './cancelled.ts';
import type { TenantConfig } from './tenant-config.ts';

type Cancellation = TenantConfig['cancellations'][number];

/** All that is read of a configuration here. */
const config = (...cancellations: Cancellation[]): TenantConfig =>
  ({ cancellations }) as never as TenantConfig;
const subject = (over: Partial<Parameters<typeof isCancelled>[1]> = {}) => ({
  revision: 5,
  endpointId: 'ep_1',
  eventId: 'event 1',
  ...over,
});
const all = (revision: number): Cancellation => ({ revision, endpointId: null, eventId: null });
const endpoint = (revision: number, endpointId: string): Cancellation => ({
  revision,
  endpointId,
  eventId: null,
});
const event = (revision: number, eventId: string): Cancellation => ({ revision, endpointId: null, eventId });

describe('a delivery is cancelled', () => {
  test('by what covers all of its tenant, when it was accepted before', () => {
    expect(isCancelled(config(all(6)), subject())).toBe(true);
    expect(isCancelled(config(all(5)), subject())).toBe(false);
  });

  test('by what covers its endpoint or its event, and by no other', () => {
    expect(isCancelled(config(endpoint(6, 'ep_1')), subject())).toBe(true);
    expect(isCancelled(config(endpoint(6, 'ep_2')), subject())).toBe(false);
    expect(isCancelled(config(event(6, 'event 1')), subject())).toBe(true);
    expect(isCancelled(config(event(6, 'event 2')), subject())).toBe(false);
  });

  test('by the latest of those that cover the same', () => {
    expect(isCancelled(config(event(6, 'event 1'), event(3, 'event 1')), subject())).toBe(true);
  });

  test('never where nothing was cancelled', () => {
    expect(isCancelled(config(), subject({ revision: 0 }))).toBe(false);
  });
});

test('an event whose endpoints are not known yet is covered by its own cancellation and its tenant’s alone', () => {
  expect(isCancelled(config(endpoint(6, 'ep_1')), subject({ endpointId: null }))).toBe(false);
  expect(isCancelled(config(event(6, 'event 1')), subject({ endpointId: null }))).toBe(true);
});

test('it is what looking at each cancellation in turn says', () => {
  const id = fc.constantFrom('a', 'b', 'c');
  const revision = fc.integer({ min: 1, max: 9 });
  const cancellation = fc.oneof(
    revision.map(all),
    fc.tuple(revision, id).map(([at, of]) => endpoint(at, of)),
    fc.tuple(revision, id).map(([at, of]) => event(at, of)),
  );
  const asked = fc.record({ revision, endpointId: id, eventId: id });
  fc.assert(
    fc.property(fc.array(cancellation, { maxLength: 6 }), asked, (cancellations, of) => {
      const covers = ({ revision: before, endpointId, eventId }: Cancellation) =>
        of.revision < before &&
        (endpointId === null || endpointId === of.endpointId) &&
        (eventId === null || eventId === of.eventId);
      expect(isCancelled(config(...cancellations), of)).toBe(cancellations.some(covers));
    }),
  );
});
