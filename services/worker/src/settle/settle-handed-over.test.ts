import { decodeSettled } from '@posthorn/contracts';
import { describe, expect, test } from 'vitest';
import { LANE, makeMade, makeSlot, NOW, TENANT } from '../../test/factories.ts';
import { acknowledgeAll, type Bundle, failure, setup } from '../../test/settle-setup.ts';

test('a failure of a lane that was lost starts no second chain: its new owner has the slot', async () => {
  const bundle = setup();
  acknowledgeAll(bundle);
  const { slot, record } = makeSlot();
  record.live = false;
  await bundle.settle(slot, { kind: 'attempted', made: makeMade({ outcome: failure }) });
  expect(bundle.produced).toEqual([]);
  expect(bundle.journaled).toMatchObject([{ state: 'processing', nextDueAtMs: null }]);
  expect(record.completed).toEqual([]);
});

describe('a slot of a lane that was handed over, held by us', () => {
  const heldSlot = (over: Parameters<typeof makeSlot>[0] = {}) => {
    const made = makeSlot(over);
    made.record.live = false;
    made.record.held = true;
    return made;
  };

  test('is settled as always, past the fence, and only then its new owner is told', async () => {
    const bundle = setup();
    const { slot, record } = heldSlot();
    const settled = bundle.settle(slot, { kind: 'attempted', made: makeMade({ outcome: failure }) });
    await Promise.resolve();
    expect(bundle.order).toEqual(['produced held']);
    acknowledgeAll(bundle);
    await settled;
    expect(bundle.order).toEqual(['produced held', 'journaled', 'journal acknowledged', 'announced']);
    const [retry, control] = bundle.producedHeld;
    expect(retry).toMatchObject({ topic: 'p.retry.1s' });
    expect(control).toMatchObject({ topic: 'p.overflow', partition: LANE, key: TENANT });
    expect(decodeSettled(control!.headers)).toEqual({ topic: 'deliveries', offset: 7, slot: 0 });
    expect(control!.value).toHaveLength(0);
    expect(bundle.journaled).toMatchObject([{ state: 'processing', nextDueAtMs: NOW + 1_000 }]);
    expect(bundle.produced).toEqual([]);
    expect(record.completed).toEqual([]);
  });

  test.each<[string, Parameters<Bundle['settle']>[1]]>([
    ['a success', { kind: 'attempted', made: makeMade() }],
    ['a cancellation', { kind: 'cancelled', reason: 'endpoint_deleted' }],
    ['a move', { kind: 'aside', reason: 'paused', lanes: [LANE] }],
  ])('is announced after %s too', async (_what, conclusion) => {
    const bundle = setup();
    acknowledgeAll(bundle);
    await bundle.settle(heldSlot().slot, conclusion);
    expect(decodeSettled(bundle.producedHeld.at(-1)!.headers)).toMatchObject({ slot: 0 });
    expect(bundle.order.at(-1)).toBe('announced');
  });

  test('names the overflow where its record came from there', async () => {
    const bundle = setup();
    acknowledgeAll(bundle);
    const { slot, record } = heldSlot();
    Object.assign(record, { topic: 'p.overflow', offset: 12 });
    await bundle.settle(slot, { kind: 'attempted', made: makeMade() });
    expect(decodeSettled(bundle.producedHeld[0]!.headers)).toEqual({
      topic: 'overflow',
      offset: 12,
      slot: 0,
    });
  });

  test('is left to its new owner when the time for it has passed before the retry could go out', async () => {
    const bundle = setup();
    acknowledgeAll(bundle);
    const { slot, record } = heldSlot();
    record.held = false;
    await bundle.settle(slot, { kind: 'attempted', made: makeMade({ outcome: failure }) });
    expect(bundle.producedHeld).toEqual([]);
    expect(bundle.remembered).toEqual([]);
    expect(bundle.journaled).toMatchObject([{ state: 'processing', nextDueAtMs: null }]);
  });

  test('is not announced when its time has passed meanwhile: the new owner sends it again', async () => {
    const bundle = setup();
    bundle.produceAck.resolve();
    const { slot, record } = heldSlot();
    const settled = bundle.settle(slot, { kind: 'attempted', made: makeMade() });
    record.held = false;
    bundle.journalAck.resolve();
    await settled;
    expect(bundle.producedHeld).toEqual([]);
    expect(record.completed).toEqual([]);
  });

  test('takes the way of the moment: a lane handed over while the journal is written is announced to', async () => {
    const bundle = setup();
    bundle.produceAck.resolve();
    const { slot, record } = makeSlot();
    const settled = bundle.settle(slot, { kind: 'attempted', made: makeMade() });
    record.live = false;
    record.held = true;
    bundle.journalAck.resolve();
    await settled;
    expect(record.completed).toEqual([]);
    expect(bundle.order.at(-1)).toBe('announced');
  });
});
