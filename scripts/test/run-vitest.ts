import { spawn } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..', '..');

export type Project = 'unit' | 'integration' | 'system';
export type VitestRun = {
  readonly projects: readonly Project[];
  readonly coverage: boolean;
  /** Given on to Vitest as they are: file filters, `-t`. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly onSpawn: (name: string, pid: number | undefined) => void;
};
export type Tally = { readonly passed: number; readonly failed: number };

type JsonReport = {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { status: string; assertionResults: unknown[] }[];
};

/** One run of Vitest, its output shown as it comes. */
export async function runVitest(run: VitestRun): Promise<Tally> {
  const reports = join(root, '.posthorn', 'reports');
  const report = join(reports, `${run.projects.join('-')}-${process.pid}.json`);
  await mkdir(reports, { recursive: true });
  try {
    const code = await spawnVitest(run, report);
    return await tally(report, code, run.coverage);
  } finally {
    await rm(report, { force: true });
  }
}

function spawnVitest(run: VitestRun, report: string): Promise<number> {
  const args = [
    'run',
    ...run.projects.flatMap((project) => ['--project', `${project}*`]),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...(run.coverage ? ['--coverage.enabled'] : []),
    ...run.args,
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'node_modules', 'vitest', 'vitest.mjs'), ...args], {
      cwd: root,
      // Code from the compile cache is counted less exactly.
      env: { ...run.env, NODE_DISABLE_COMPILE_CACHE: '1' },
      stdio: ['ignore', 'inherit', 'inherit'],
      // A group of its own, so that what the tests have started ends with it.
      detached: true,
    });
    run.onSpawn('tests', child.pid);
    const end = () => signalGroup(child.pid, 'SIGTERM');
    run.signal.addEventListener('abort', end, { once: true });
    child.once('error', reject);
    child.once('exit', (code) => {
      run.signal.removeEventListener('abort', end);
      signalGroup(child.pid, 'SIGKILL');
      resolve(code ?? 1);
    });
  });
}

function signalGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (leader) process.kill(-leader, signal);
  } catch {
    // Nobody is left in it.
  }
}

/** A file that could not be loaded counts as one failure, and so do coverage and faults outside of any test. */
async function tally(file: string, code: number, coverage: boolean): Promise<Tally> {
  const report = await readFile(file, 'utf8').then(
    (text): JsonReport => JSON.parse(text),
    () => undefined,
  );
  if (!report) return { passed: 0, failed: 1 };
  const unloadable = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
  const failed = report.numFailedTests + unloadable.length;
  if (failed === 0 && code !== 0) return { passed: report.numPassedTests, failed: 1 };
  return { passed: report.numPassedTests + (coverage && code === 0 ? 1 : 0), failed };
}
