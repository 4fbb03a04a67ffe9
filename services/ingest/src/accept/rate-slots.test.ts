import fc from 'fast-check';
import { expect, it } from 'vitest';
import { hear } from './hear-others.ts';
import { createTenantSlots, hasRoom, moveTo, ownInLastSecond, type TenantSlots, take } from './rate-slots.ts';

function admit(of: TenantSlots, slot: number): boolean {
  moveTo(of, slot);
  const admitted = hasRoom(of);
  if (admitted) take(of);
  return admitted;
}

it('behaves alike whether slots are passed one by one or many at once', () => {
  const gaps = fc.array(fc.oneof(fc.nat(3), fc.nat(120), fc.nat(400)), { maxLength: 120 });
  fc.assert(
    fc.property(gaps, fc.integer({ min: 1, max: 9 }), (steps, limit) => {
      const light = createTenantSlots('a', 1_000, limit);
      const shared = createTenantSlots('a', 1_000, limit);
      let slot = 1_000;
      for (const step of steps) {
        slot += step;
        moveTo(shared, slot);
        hear(shared, [], 2);
        expect(admit(light, slot)).toBe(admit(shared, slot));
        expect(light.used).toBe(shared.used);
        expect(ownInLastSecond(light)).toBe(ownInLastSecond(shared));
      }
    }),
  );
});

it('starts over when the clock was set back, and stands still for a correction', () => {
  const of = createTenantSlots('a', 1_000, 1);
  expect([admit(of, 1_000), admit(of, 999), admit(of, 900), admit(of, 901)]).toEqual([
    true,
    false,
    true,
    false,
  ]);
});
