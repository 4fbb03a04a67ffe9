import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exists, readText, root } from './checks/repository.ts';
import { accessPage, loadAccess } from './docs/access.ts';
import { configurationPage, envExample, loadSpecs } from './docs/configuration.ts';
import { withRights } from './docs/database-rights.ts';
import { errorsPage, loadProblems } from './docs/errors.ts';
import { loadDocument } from './docs/openapi.ts';

/** `npm run docs:generate`: writes the pages that follow from code; with `--check` it only says which ones are stale. */
const specs = await loadSpecs();
const pages = {
  'docs/configuration.md': configurationPage(specs),
  '.env.example': envExample(specs),
  'docs/errors.md': errorsPage(await loadProblems()),
  'docs/openapi.json': await loadDocument(),
  'docs/guides/access.md': accessPage(await loadAccess()),
  'docs/guides/database-roles.md': withRights(readText('docs/guides/database-roles.md')),
};
const check = process.argv.includes('--check');

for (const [path, text] of Object.entries(pages)) {
  if (exists(path) && readText(path) === text) continue;
  if (check) {
    console.error(`${path} is stale: run npm run docs:generate`);
    process.exitCode = 1;
  } else {
    writeFileSync(join(root, path), text);
    console.log(`${path} written`);
  }
}
