import { execFileSync } from 'node:child_process';

export const COMMAND_TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 64 * 1024;

/** Words of a command: a JSON array as it is, else what spaces part; there is no shell and no quoting. @throws Error */
export function parseCommand(text: string): [program: string, ...args: string[]] {
  const words: unknown = text.trimStart().startsWith('[') ? readJson(text) : text.trim().split(/\s+/);
  const isArgv = Array.isArray(words) && words.every((word) => typeof word === 'string') && words[0];
  if (!isArgv) throw new Error('not a program and its arguments');
  return words as [string, ...string[]];
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * What the program prints. Nothing of its output, of either kind, gets into an error: it may be keys.
 * @throws Error
 */
export function runKeysCommand(command: string, timeoutMs = COMMAND_TIMEOUT_MS): string {
  const [program, ...args] = parseCommand(command);
  try {
    return execFileSync(program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: timeoutMs,
      maxBuffer: MAX_OUTPUT_BYTES,
      killSignal: 'SIGKILL',
    });
  } catch (error) {
    throw new Error(`"${program}" ${faultOf(error as NodeJS.ErrnoException & { status?: number | null })}`);
  }
}

function faultOf({ code, status }: NodeJS.ErrnoException & { status?: number | null }): string {
  if (code === 'ETIMEDOUT') return 'took too long';
  if (code === 'ENOBUFS') return `printed more than ${MAX_OUTPUT_BYTES} bytes`;
  if (typeof status === 'number') return `ended with ${status}`;
  return `cannot be run: ${code ?? 'killed'}`;
}
