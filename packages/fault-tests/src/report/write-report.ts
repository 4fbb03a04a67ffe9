import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Options } from '../options.ts';
import type { Result } from '../run-scenarios.ts';
import { readVersions } from './read-versions.ts';
import { renderReport } from './render-report.ts';

export interface Report {
  readonly seed: number;
  readonly form: string;
  readonly brokers: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly results: readonly Omit<Result, 'history'>[];
}

/** JSON for programs, Markdown for people, and for each failed scenario what happened and how to run it again. */
export async function writeReport(
  dir: string,
  options: Options,
  results: readonly Result[],
  say: (line: string) => void,
): Promise<void> {
  await mkdir(dir, { recursive: true });
  const { seed, form, brokers } = options;
  const report: Report = {
    seed,
    form,
    brokers,
    versions: await readVersions(),
    results: results.map(({ history: _, ...result }) => result),
  };
  const name = nameOf(options);
  await writeFile(join(dir, `${name}.json`), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(join(dir, `${name}.md`), renderReport(report));
  say(`report: ${join(dir, name)}.md`);
  const failed = results.filter(({ verdict }) => verdict === 'failed');
  if (failed.length === 0) return;
  await mkdir(join(dir, 'failures'), { recursive: true });
  for (const { id, complaints, history } of failed) {
    const file = join(dir, 'failures', `${id}-${seed}.json`);
    await writeFile(file, `${JSON.stringify({ id, options, complaints, history }, null, 2)}\n`);
    say(`failure: npm run test:faults -- --replay ${file}`);
  }
}

function nameOf({ only, form, brokers }: Options): string {
  const what = only.length === 0 ? form : `${only.join('-')}-${form}`;
  return (brokers === 3 ? `${what}-three-brokers` : what).toLowerCase();
}
