import { expect, test } from 'vitest';
import { filesOf, readText } from './repository.ts';

/** Packages that open connections: one to what tenants name, through the guard, and one each to a store. */
const CALLERS = /^packages\/(egress|db|kafka)\//;
/** What runs in tests alone. */
const TESTS = /^packages\/(testkit|system-tests|fault-tests)\/|\.test\.ts$/;
/** Judges, answers, describes, or is a type; calls nobody. */
const HARMLESS = new Set(['isIP', 'isIPv4', 'isIPv6', 'BlockList', 'STATUS_CODES', 'createServer']);
const MODULES =
  /^import (?!type )([^;]*?) from '(undici|node:(?:net|tls|dns|dns\/promises|http|https|http2|dgram))'/gm;
const BY_ITSELF =
  /(?<![.\w])(?:(?:globalThis\.)?fetch|new WebSocket|new EventSource)\s*\(|\bimport\('(?:undici|node:)/g;

function waysOut(source: string): string[] {
  const imported = [...source.matchAll(MODULES)].flatMap(([, clause = '', module]) =>
    namesIn(clause).map((name) => `${name} of ${module}`),
  );
  return [...imported, ...[...source.matchAll(BY_ITSELF)].map(([found]) => found)];
}

function namesIn(clause: string): string[] {
  const braces = /^\{([\s\S]*)\}$/.exec(clause.trim())?.[1];
  if (braces === undefined) return [clause];
  const names = braces.split(',').map((name) => name.trim().split(' as ')[0]!);
  return names.filter((name) => name !== '' && !name.startsWith('type ') && !HARMLESS.has(name));
}

test('nothing calls out but through the guard, and to the two stores', () => {
  const sources = filesOf('{packages,services}/*/src/**/*.ts').filter(
    (path) => !CALLERS.test(path) && !TESTS.test(path),
  );
  expect(sources.length).toBeGreaterThan(200);
  expect(sources.flatMap((path) => waysOut(readText(path)).map((way) => `${path}: ${way}`))).toEqual([]);
});

test.each([
  "import { request } from 'undici';",
  "import http from 'node:http';",
  "import * as tls from 'node:tls';",
  "import { isIP, connect as dial } from 'node:net';",
  "import { lookup } from 'node:dns/promises';",
  'const answer = await fetch(url);',
  'await globalThis.fetch (url)',
  "const { request } = await import('node:https');",
])('a way around the guard is found: %s', (source) => expect(waysOut(source)).toHaveLength(1));

test.each([
  "import type { Socket } from 'node:net';",
  "import { isIP, type Socket } from 'node:net';",
  'loop.fetch(1);',
])('what calls nobody is let be: %s', (source) => expect(waysOut(source)).toEqual([]));
