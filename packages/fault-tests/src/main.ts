import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listenForInterrupt } from '@posthorn/scripts/embedded';
import { type Options, parseOptions, USAGE } from './options.ts';
import { writeReport } from './report/write-report.ts';
import { ROOT } from './rig/start-infra.ts';
import { runScenarios } from './run-scenarios.ts';
import { chooseScenarios, SCENARIOS } from './scenarios/index.ts';

const say = (line: string) => console.log(line);

async function main(argv: readonly string[]): Promise<number> {
  const { list, ...given } = parseOptions(argv, Date.now());
  if (given.help) say(USAGE);
  if (list) for (const { id, title } of SCENARIOS) say(`${id.padEnd(4)} ${title}`);
  if (given.help || list) return 0;
  const options = given.replay ? readFixture(given.replay, given) : given;
  const chosen = chooseScenarios(options.form, options.only);
  say(`seed ${options.seed}, ${options.brokers} broker(s), ${chosen.length} scenario(s)`);
  const { stop } = listenForInterrupt();
  const results = await runScenarios(chosen, options, say, stop);
  const whole = options.only.length === 0 || options.only.join() === 'D1';
  const dir = options.report ?? (whole ? join(ROOT, 'docs', 'reliability') : undefined);
  if (dir && !options.replay) await writeReport(dir, options, results, say);
  const count = (verdict: string) => results.filter((each) => each.verdict === verdict).length;
  say(
    `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped (seed ${options.seed})`,
  );
  return count('failed') > 0 ? 1 : 0;
}

/** A failed run's plan follows from its seed and options. */
function readFixture(file: string, given: Options): Options {
  const { id, options } = JSON.parse(readFileSync(file, 'utf8')) as { id: string; options: Options };
  return { ...options, only: [id], report: given.report, replay: file, previous: given.previous };
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
process.exit();
