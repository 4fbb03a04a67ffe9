import { join, resolve, sep } from 'node:path';
import { listenForInterrupt } from './interrupt.ts';
import { type CheckName, runCheck } from './static-checks.ts';
import { DELIVERY_CORE, foldersBesideCore } from './test/delivery-core.ts';
import { PROJECTS, parseOptions, type TestOptions, USAGE } from './test/options.ts';
import { printCoverage } from './test/print-coverage.ts';
import { type Project, runVitest, type Tally } from './test/run-vitest.ts';
import { prepareEnvironment, type TestEnvironment } from './test/test-environment.ts';
import { dropTestDatabases } from './vitest/template.ts';

/**
 * `npm test`: unit and integration tests, those of the delivery core under coverage, with the static checks beside them,
 * then the system tests.
 * The last line is `N passed, N failed`, whatever happens.
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

async function check(name: CheckName, signal: AbortSignal): Promise<void> {
  const { passed, output } = await timed(name, () => runCheck(name, { signal }));
  if (!passed) say(`${output}\n${name} failed`);
  count({ passed: passed ? 1 : 0, failed: passed ? 0 : 1 });
}

async function runAll(options: TestOptions): Promise<void> {
  const givenUp = new AbortController();
  const signal = AbortSignal.any([interrupt.stop, givenUp.signal]);
  const checks = options.everything ? [check('lint', signal), check('type-check', signal)] : [];
  const checked = Promise.all(checks);
  // Looked at below, after whatever may fail sooner.
  checked.catch(() => {});
  let environment: TestEnvironment | undefined;
  try {
    if (options.only !== 'unit')
      environment = await timed('Kafka and Postgres', () => prepareEnvironment(say, interrupt.stop));
    for (const group of groups(options)) {
      // System tests come alone: they measure time, and stop and kill what others would share the processor with.
      if (group.projects.includes('system')) await checked;
      await runGroup(group, environment);
    }
    await checked;
  } finally {
    givenUp.abort();
    await putAway(environment);
  }
}

type Group = {
  readonly name: string;
  readonly projects: readonly Project[];
  readonly args: readonly string[];
  readonly coverage: boolean;
};

function groups({ everything, only, vitestArgs: args }: TestOptions): readonly Group[] {
  if (!everything) {
    const projects = only ? [only] : PROJECTS;
    return [{ name: projects.join(' and '), projects, args, coverage: false }];
  }
  const projects: readonly Project[] = ['unit', 'integration'];
  const within = (folders: readonly string[]) => folders.map((folder) => join(ROOT, folder, sep));
  return [
    // Apart from the others: to be watched for coverage takes half as much time again.
    { name: 'the delivery core’s', projects, args: within(DELIVERY_CORE), coverage: true },
    { name: 'other unit and integration', projects, args: within(foldersBesideCore(ROOT)), coverage: false },
    { name: 'system', projects: ['system'], args: [], coverage: false },
  ];
}

async function runGroup({ name, ...group }: Group, environment: TestEnvironment | undefined): Promise<void> {
  interrupt.stop.throwIfAborted();
  const env = environment?.env ?? process.env;
  const onSpawn = environment?.infra.onSpawn ?? (() => {});
  const run = { ...group, env, signal: interrupt.stop, onSpawn };
  count(await timed(`${name} tests`, () => runVitest(run)));
  if (group.coverage) await printCoverage(ROOT, say);
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
