import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { root } from './checks/repository.ts';

/** `npm run pack:signing -- <folder>`: writes what is published of packages/signing there, as one archive. */
const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Where to? npm run pack:signing -- <folder>');
  process.exitCode = 1;
} else {
  const out = resolve(root, folder, 'posthorn-signing-%v.tgz');
  const packed = spawnSync('pnpm', ['--filter', '@posthorn/signing', 'pack', '--out', out], {
    cwd: root,
    stdio: 'inherit',
  });
  process.exitCode = packed.status ?? 1;
}
