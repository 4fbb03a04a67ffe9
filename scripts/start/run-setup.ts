import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SETUP_MS = 120_000;

/** Applies migrations and topics, with this environment and no other. Throws the job's own last words when it fails. */
export async function runSetup(root: string, env: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<void> {
  const job = ['services/setup/src/main.ts', 'all'];
  await run(process.execPath, job, { cwd: root, env, signal, timeout: SETUP_MS }).catch((error) => {
    signal?.throwIfAborted();
    throw new Error(String(error.stderr || error.message).trim());
  });
}
