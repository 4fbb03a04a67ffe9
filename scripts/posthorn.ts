import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DATABASE_FILE } from './start/system.ts';

/** `npm run posthorn -- <command>`: the command line, on the Postgres of the environment or of a running `npm start`. */
const root = join(import.meta.dirname, '..');

function runningDatabase(): string | undefined {
  try {
    return readFileSync(join(root, '.posthorn', DATABASE_FILE), 'utf8');
  } catch {
    return undefined;
  }
}

const { status } = spawnSync(
  process.execPath,
  [join(root, 'services', 'cli', 'src', 'main.ts'), ...process.argv.slice(2)],
  {
    stdio: 'inherit',
    env: { ...process.env, DATABASE_URL: process.env.DATABASE_URL ?? runningDatabase() },
  },
);
process.exitCode = status ?? 1;
