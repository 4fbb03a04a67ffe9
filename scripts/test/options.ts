import type { Project } from './run-vitest.ts';

export const USAGE = `npm test                                    everything: lint, types, unit, integration and system tests, coverage
npm test -- --only unit|integration|system   tests of one kind
npm test -- <file> [-t <name>]               what Vitest finds for these arguments, without checks and coverage

KAFKA_BROKERS and DATABASE_URL, where set, are used instead of a Kafka and a Postgres started for the run.`;

export const PROJECTS: readonly Project[] = ['unit', 'integration', 'system'];

export type TestOptions = {
  readonly help: boolean;
  readonly only: Project | undefined;
  readonly vitestArgs: readonly string[];
  /** Nothing was left out: static checks and coverage count too. */
  readonly everything: boolean;
};

/** @throws Error naming the argument that is wrong. */
export function parseOptions(argv: readonly string[]): TestOptions {
  const rest = argv.filter((argument) => argument !== '--');
  const help = rest.includes('--help');
  const at = rest.indexOf('--only');
  if (at < 0) return { help, only: undefined, vitestArgs: rest, everything: rest.length === 0 };
  const only = PROJECTS.find((project) => project === rest[at + 1]);
  if (!only) throw new Error(`--only takes ${PROJECTS.join(', ')}, not ${rest[at + 1] ?? 'nothing'}`);
  return { help, only, vitestArgs: rest.toSpliced(at, 2), everything: false };
}
