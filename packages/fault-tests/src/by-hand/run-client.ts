import { spawn } from 'node:child_process';

const CLIENT_MS = 60_000;
const LAST_WORDS = 5;

/** Runs a client to its end with this as its input. @throws Error with its last words when it fails. */
export function runClient(command: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { timeout: CLIENT_MS });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      const words = err.trim().split('\n').slice(-LAST_WORDS).join(' | ');
      if (code === 0) resolve(out);
      else reject(new Error(`${command} ended with ${code}: ${words}`));
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
