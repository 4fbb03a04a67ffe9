import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DELIVERY_CORE, foldersBesideCore } from './delivery-core.ts';

it('leaves every folder to one of two runs', () => {
  const others = foldersBesideCore(join(import.meta.dirname, '..', '..'));
  expect(others).toEqual(expect.arrayContaining(['services/ingest', 'packages/db', 'scripts']));
  expect(others.filter((folder) => DELIVERY_CORE.includes(folder))).toEqual([]);
});
