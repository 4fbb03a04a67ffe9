import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Each of these must be covered by its own unit and integration tests to the share that vitest.config.ts names. */
export const DELIVERY_CORE = [
  'services/dispatcher',
  'services/worker',
  'packages/contracts',
  'packages/kafka',
  'packages/signing',
  'packages/egress',
];

/** Every other folder that has unit and integration tests. */
export function foldersBesideCore(root: string): string[] {
  const packages = ['packages', 'services'].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => `${parent}/${name}`),
  );
  return [...packages, 'scripts', 'bench'].filter((folder) => !DELIVERY_CORE.includes(folder));
}
