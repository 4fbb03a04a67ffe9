import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FAILURE_KIND, type FailureClass, RECEIVER_SIGN } from './outcome.ts';

const page = readFileSync(new URL('../../../docs/delivery-lifecycle.md', import.meta.url), 'utf8');
const section = page.split(/^## /m).find((each) => each.startsWith('Outcomes\n')) ?? '';
const rows = [...section.matchAll(/^\|(.+)\|$/gm)]
  .slice(2)
  .map((row) => row[1]!.split('|').map((cell) => cell.trim().replaceAll('`', '')));

test('docs/delivery-lifecycle.md has every class of failure with its kind and what the breaker reads from it', () => {
  const documented = rows.map(([failure, , kind, sign]) => `${failure} ${kind} ${sign}`);
  const coded = Object.entries(FAILURE_KIND).map(
    ([failure, kind]) => `${failure} ${kind} ${RECEIVER_SIGN[failure as FailureClass]}`,
  );
  expect(documented.sort()).toEqual(coded.sort());
});

test('a class that ends a delivery at once says nothing about whether its receiver is up', () => {
  for (const [failure, kind] of Object.entries(FAILURE_KIND)) {
    if (kind === 'permanent') expect(RECEIVER_SIGN[failure as FailureClass]).toBe('nothing');
  }
});
