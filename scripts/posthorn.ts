import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandEnvironment } from './start/command-environment.ts';

/** `npm run posthorn -- <command>`: the command line, on the Postgres of the environment or of a running `npm start`. */
const root = join(import.meta.dirname, '..');

function readKept(name: string): string | undefined {
  try {
    return readFileSync(join(root, '.posthorn', name), 'utf8');
  } catch {
    return undefined;
  }
}

const { status } = spawnSync(
  process.execPath,
  [join(root, 'services', 'cli', 'src', 'main.ts'), ...process.argv.slice(2)],
  {
    stdio: 'inherit',
    env: commandEnvironment(process.env, readKept),
  },
);
process.exitCode = status ?? 1;
