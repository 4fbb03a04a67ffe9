import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const bin = join(root, 'node_modules', '.bin');

export type CheckName = 'lint' | 'type-check';
export type CheckOptions = {
  readonly fix?: boolean;
  /** Only what is about to be committed. */
  readonly staged?: boolean;
  readonly signal?: AbortSignal;
};
export type CheckResult = { readonly passed: boolean; readonly output: string; readonly tookMs: number };

/** Runs one check over the whole workspace and collects what it says. */
export function runCheck(name: CheckName, options: CheckOptions = {}): Promise<CheckResult> {
  const startedAt = performance.now();
  const [command, ...args] = name === 'lint' ? lintCommand(options) : typeCheckCommand();
  return new Promise((resolve, reject) => {
    const child = spawn(join(bin, command), args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: options.signal,
    });
    let output = '';
    const collect = (chunk: Buffer) => {
      output += chunk;
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', reject);
    child.once('close', (code) =>
      resolve({ passed: code === 0, output: output.trim(), tookMs: performance.now() - startedAt }),
    );
  });
}

function lintCommand({ fix, staged }: CheckOptions): [string, ...string[]] {
  const plain = process.stdout.isTTY ? [] : ['--colors=off'];
  const scope = staged ? ['--staged', '--no-errors-on-unmatched'] : [];
  return fix || staged
    ? ['biome', 'check', ...(fix ? ['--write'] : []), ...scope, ...plain]
    : ['biome', 'ci', ...plain];
}

/** As one program: package by package, each checks again what it imports, which takes three times as long. */
function typeCheckCommand(): [string, ...string[]] {
  return ['tsc', '--project', 'tsconfig.json', '--pretty', 'false'];
}
