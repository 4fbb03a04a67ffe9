import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inheritedEnvironment } from './inherited-environment.ts';

/** One shell block of a page, and what the page says that it prints: the `json` block right behind it. */
export interface GuideBlock {
  readonly line: number;
  readonly script: string;
  readonly expected: string | null;
}

export interface RunBlock extends GuideBlock {
  readonly printed: string;
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FENCE = /^```(sh|json)\n([\s\S]*?)^```$/gm;
const MARK = '\u001e';
const TIMEOUT_MS = 50_000;

/** The blocks of a page in `docs/`. */
export function readGuide(page: string): GuideBlock[] {
  const text = readFileSync(`${ROOT}docs/${page}`, 'utf8');
  const fences = [...text.matchAll(FENCE)].map(([whole, kind, body], at) => ({
    at,
    whole,
    kind,
    body: body!,
  }));
  const places = [...text.matchAll(FENCE)].map(({ index }) => index);
  return fences.flatMap(({ at, kind, body, whole }) => {
    if (kind !== 'sh') return [];
    const next = fences[at + 1];
    const gap = next && text.slice(places[at]! + whole.length, places[at + 1]);
    const expected = next?.kind === 'json' && gap!.trim() === '' ? next.body : null;
    return [{ line: text.slice(0, places[at]).split('\n').length, script: body, expected }];
  });
}

/**
 * Runs a page's shell blocks as they are printed, in one shell, each where the one before has left off.
 * @throws Error with the block's line and the output when a command fails.
 */
export async function runGuide(
  page: string,
  environment: Readonly<Record<string, string>>,
): Promise<RunBlock[]> {
  const blocks = readGuide(page);
  const script = blocks.map((block) => `${block.script}\nprintf '${MARK}'`).join('\n');
  const { code, stdout, stderr } = await runShell(`set -euo pipefail\n${script}`, environment);
  const printed = stdout.split(MARK);
  if (code !== 0) {
    const failed = blocks[printed.length - 1];
    throw new Error(
      `docs/${page}, the block at line ${failed?.line} ended with ${code}:\n${printed.at(-1)}\n${stderr}`,
    );
  }
  return blocks.map((block, at) => ({ ...block, printed: printed[at]!.trim() }));
}

function runShell(
  script: string,
  environment: Readonly<Record<string, string>>,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    code: number | null;
    stdout: string;
    stderr: string;
  }>();
  const child = spawn('bash', ['-c', script], {
    env: { ...inheritedEnvironment(), LC_ALL: 'C.UTF-8', ...environment },
    timeout: TIMEOUT_MS,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (chunk: string) => {
      out[stream] += chunk;
    });
  }
  child.once('error', reject);
  child.once('close', (code) => resolve({ code, ...out }));
  return promise;
}

/** What differs from what the page shows: `…` there stands for anything, and as a key for any further members. */
export function differences({ expected, printed, line }: RunBlock): string[] {
  if (expected === null) return [];
  const wanted: unknown = JSON.parse(expected);
  return compare(wanted, parse(printed), `line ${line}`);
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

const ANY = '…';
const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

function compare(wanted: unknown, found: unknown, at: string): string[] {
  if (wanted === ANY) return [];
  if (typeof wanted === 'string' && typeof found === 'string' && wanted.includes(ANY)) {
    const pattern = wanted.split(ANY).map(escaped).join('[\\s\\S]*');
    return new RegExp(`^${pattern}$`).test(found) ? [] : [`${at}: ${JSON.stringify(found)}, not ${wanted}`];
  }
  if (Array.isArray(wanted) && Array.isArray(found)) {
    const isOpen = wanted.at(-1) === ANY;
    const items = isOpen ? wanted.slice(0, -1) : wanted;
    if (isOpen ? found.length < items.length : found.length !== items.length)
      return [`${at}: ${found.length} entries, not ${items.length}`];
    return items.flatMap((item, i) => compare(item, found[i], `${at}/${i}`));
  }
  if (isObject(wanted) && isObject(found)) return compareMembers(wanted, found, at);
  return Object.is(wanted, found) ? [] : [`${at}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`];
}

function compareMembers(
  wanted: Readonly<Record<string, unknown>>,
  found: Readonly<Record<string, unknown>>,
  at: string,
): string[] {
  const isOpen = Object.hasOwn(wanted, ANY);
  const names = Object.keys(wanted).filter((name) => name !== ANY);
  const surplus = isOpen ? [] : Object.keys(found).filter((name) => !Object.hasOwn(wanted, name));
  return [
    ...surplus.map((name) => `${at}/${name}: is printed and not shown`),
    ...names.flatMap((name) => compare(wanted[name], found[name], `${at}/${name}`)),
  ];
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
