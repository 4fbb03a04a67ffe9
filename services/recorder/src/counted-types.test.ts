import { expect, test } from 'vitest';
import { createCountedTypes, MAX_TYPES, MAX_TYPES_OF_TENANT, OTHER_TYPES } from './counted-types.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 12);
const fill = (types: ReturnType<typeof createCountedTypes>, tenantId: string, count: number) =>
  Array.from({ length: count }, (_, i) => types.nameFor(tenantId, `a.${i}`, NOW_MS));

test('a tenant’s types are counted by name up to a bound, and further ones together', () => {
  const types = createCountedTypes();
  expect(new Set(fill(types, 'acme', MAX_TYPES_OF_TENANT)).has(OTHER_TYPES)).toBe(false);
  expect(types.nameFor('acme', 'one.more', NOW_MS)).toBe(OTHER_TYPES);
  expect(types.nameFor('acme', 'a.0', NOW_MS)).toBe('a.0');
  expect(types.nameFor('umbrella', 'one.more', NOW_MS)).toBe('one.more');
});

test('so are those of all tenants', () => {
  const types = createCountedTypes();
  for (let i = 0; i < MAX_TYPES / MAX_TYPES_OF_TENANT; i += 1) fill(types, `t${i}`, MAX_TYPES_OF_TENANT);
  expect([types.size, types.nameFor('acme', 'order.created', NOW_MS)]).toEqual([MAX_TYPES, OTHER_TYPES]);
});

test('the next day begins anew', () => {
  const types = createCountedTypes();
  fill(types, 'acme', MAX_TYPES_OF_TENANT);
  expect(types.nameFor('acme', 'one.more', NOW_MS + 86_400_000)).toBe('one.more');
});
