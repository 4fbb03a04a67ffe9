import { describe, expect, test } from 'vitest';
import { readText } from '../checks/repository.ts';
import { extractSnippets } from './extract-snippets.ts';
import { LANGUAGES } from './languages.ts';
import { runSnippet } from './run-snippet.ts';
import { verifyCases } from './verify-cases.ts';

const RUN_TIMEOUT_MS = 60_000;
const snippets = extractSnippets(readText('docs/guides/verify.md'));
const cases = verifyCases();

test('the guide has a snippet in each language', () => {
  expect(LANGUAGES.filter(({ name }) => !snippets.has(name))).toEqual([]);
});

test('the cases are valid ones, other bodies, stale timestamps and secrets that rotate', () => {
  const named = new Map(cases.map(({ name, isValid }) => [name, isValid]));
  expect(Object.fromEntries(named)).toMatchObject({
    'what was signed': true,
    'another body': false,
    'a second too old': false,
    'a second too new': false,
    'the old secret of a rotation': true,
    'the new secret of a rotation': true,
  });
  expect(cases.length).toBeGreaterThan(40);
});

describe.each(LANGUAGES.filter(({ isQuick }) => isQuick))('the snippet in $name', (language) => {
  test('judges every case as the system does', { timeout: RUN_TIMEOUT_MS }, (context) => {
    const run = runSnippet(language, snippets.get(language.name)!, cases);
    if (run.kind === 'skipped') return context.skip(`${language.probe[0]} is not installed`);
    expect(run.faults).toEqual([]);
  });
});
