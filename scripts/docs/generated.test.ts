import { expect, test } from 'vitest';
import { readText } from '../checks/repository.ts';
import { accessPage, loadAccess } from './access.ts';
import { withRights } from './database-rights.ts';
import { errorsPage, loadProblems } from './errors.ts';
import { loadDocument } from './openapi.ts';

test('docs/errors.md is the catalogue of problems', async () => {
  expect(readText('docs/errors.md')).toBe(errorsPage(await loadProblems()));
});

test('docs/openapi.json is what the routes declare: run npm run docs:generate', async () => {
  expect(readText('docs/openapi.json')).toBe(await loadDocument());
});

test('docs/guides/access.md is what the routes declare of callers and scopes', async () => {
  expect(readText('docs/guides/access.md')).toBe(accessPage(await loadAccess()));
});

test('docs/guides/database-roles.md has the rights that the set-up job gives: run npm run docs:generate', () => {
  const page = readText('docs/guides/database-roles.md');
  expect(page).toBe(withRights(page));
});
