import { resolve } from 'node:path';
import { listenForInterrupt } from './interrupt.ts';
import { type CheckName, runCheck } from './static-checks.ts';
import { PROJECTS, parseOptions, type TestOptions, USAGE } from './test/options.ts';
import { printCoverage } from './test/print-coverage.ts';
import { type Project, runVitest, type Tally } from './test/run-vitest.ts';
import { prepareEnvironment, type TestEnvironment } from './test/test-environment.ts';
import { dropTestDatabases } from './vitest/template.ts';

/**
 * `npm test`: static checks while Kafka and Postgres start, then unit and integration tests under coverage, then the
 * system tests. The last line is `N passed, N failed`, whatever happens.
 */
const ROOT = resolve(import.meta.dirname, '..');
const say = (line: string) => console.log(line);
const interrupt = listenForInterrupt();
const totals = { passed: 0, failed: 0 };

function count({ passed, failed }: Tally): void {
  totals.passed += passed;
  totals.failed += failed;
}

async function timed<T>(phase: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  try {
    return await work();
  } finally {
    say(`${phase}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  }
}

async function check(name: CheckName): Promise<void> {
  const { passed, output } = await timed(name, () => runCheck(name, { signal: interrupt.stop }));
  if (!passed) say(`${output}\n${name} failed`);
  count({ passed: passed ? 1 : 0, failed: passed ? 0 : 1 });
}

async function runAll(options: TestOptions): Promise<void> {
  const projects = options.only ? [options.only] : PROJECTS;
  const needsInfra = options.only !== 'unit';
  const preparing = needsInfra
    ? timed('Kafka and Postgres', () => prepareEnvironment(say, interrupt.stop))
    : undefined;
  const settled = await Promise.allSettled([
    preparing,
    ...(options.everything ? [check('lint'), check('type-check')] : []),
  ]);
  const environment = await preparing?.catch(() => undefined);
  try {
    const failed = settled.find((each) => each.status === 'rejected');
    if (failed) throw failed.reason;
    await runTests(options, projects, environment?.env ?? process.env);
  } finally {
    await putAway(environment);
  }
}

/** System tests come alone: they measure time, and stop and kill what others would share the processor with. */
async function runTests(
  options: TestOptions,
  projects: readonly Project[],
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const groups =
    options.vitestArgs.length > 0
      ? [projects]
      : [projects.filter((each) => each !== 'system'), ['system' as const]];
  for (const group of groups) {
    const chosen = group.filter((each) => projects.includes(each));
    if (chosen.length === 0) continue;
    interrupt.stop.throwIfAborted();
    const coverage = options.everything && !chosen.includes('system');
    const run = { projects: chosen, coverage, args: options.vitestArgs, env, signal: interrupt.stop };
    count(await timed(`${chosen.join(' and ')} tests`, () => runVitest(run)));
    if (coverage) await printCoverage(ROOT, say);
  }
}

async function putAway(environment: TestEnvironment | undefined): Promise<void> {
  if (!environment) return;
  const { infra, run } = environment;
  if (!infra.ephemeral) await dropTestDatabases(infra.databaseUrl, run);
  await infra.stop();
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) return say(USAGE);
  const startedAt = performance.now();
  await runAll(options);
  say(`in all: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}

try {
  await main();
} catch (error) {
  console.error(
    interrupt.stop.aborted ? 'Stopped before the end' : error instanceof Error ? error.message : error,
  );
  totals.failed += 1;
}
if (!process.argv.includes('--help')) say(`${totals.passed} passed, ${totals.failed} failed`);
process.exit(totals.failed > 0 ? 1 : 0);
