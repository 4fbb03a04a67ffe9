import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Language } from './languages.ts';
import type { VerifyCase } from './verify-cases.ts';

const DRIVERS = join(import.meta.dirname, 'drivers');
const MAX_RUN_MS = 300_000;

export type SnippetRun =
  | { readonly kind: 'ran'; readonly faults: readonly string[] }
  /** The toolchain is not there. */
  | { readonly kind: 'skipped' };

/** Runs a snippet over the cases, in a folder of its own, and says what it judged in another way. */
export function runSnippet(language: Language, snippet: string, cases: readonly VerifyCase[]): SnippetRun {
  if (!succeeds(language.probe)) return { kind: 'skipped' };
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-snippet-'));
  try {
    const place = (path: string): string => {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      return join(folder, path);
    };
    writeFileSync(place(language.snippet), snippet);
    for (const [from, to] of Object.entries(language.drivers)) cpSync(join(DRIVERS, from), place(to));
    return { kind: 'ran', faults: judge(language, folder, cases) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function succeeds([program, ...args]: Language['probe']): boolean {
  const { status, error } = spawnSync(program, args, { stdio: 'ignore' });
  return error === undefined && status === 0;
}

function judge({ build, run }: Language, folder: string, cases: readonly VerifyCase[]): string[] {
  for (const command of build ? [build] : []) {
    const built = start(command, folder, '');
    if (built.fault !== null) return [built.fault];
  }
  const { fault, stdout } = start(run, folder, cases.map(({ line }) => `${line}\n`).join(''));
  if (fault !== null) return [fault];
  const judged = stdout.trimEnd().split('\n');
  return cases.flatMap(({ name, isValid }, i) => {
    const expected = isValid ? 'ok' : 'no';
    return judged[i]?.trim() === expected ? [] : [`${name}: ${judged[i]}, not ${expected}`];
  });
}

function start(
  [program, ...args]: Language['run'],
  cwd: string,
  input: string,
): { readonly fault: string | null; readonly stdout: string } {
  const done = spawnSync(program, args, { cwd, input, encoding: 'utf8', timeout: MAX_RUN_MS });
  const failed = done.error !== undefined || done.status !== 0;
  const said = `${done.error ?? ''}${done.stdout ?? ''}${done.stderr ?? ''}`.trim();
  return {
    fault: failed ? `${program} ${args.join(' ')} failed:\n${said}` : null,
    stdout: done.stdout ?? '',
  };
}
