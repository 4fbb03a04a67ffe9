import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { type CurlRequest, writeCurl } from './write-curl.ts';

/** What a shell makes of the command: the arguments that curl gets, and what is piped into it. */
function parseInShell(request: CurlRequest): { arguments: string[]; piped: Buffer } {
  const isPiped = writeCurl(request).startsWith('printf');
  const script = `curl() { printf '%s\\0' "$@" >&2; ${isPiped ? 'cat' : ':'}; }\n${writeCurl(request)}\n`;
  const { stdout, stderr } = spawnSync('sh', ['-s'], { input: script, maxBuffer: 1_000_000 });
  return { arguments: stderr.toString().split('\0').slice(0, -1), piped: stdout };
}

const url = 'https://hooks.example/in?a=1';

test.each([
  ['quotes, dollars and backslashes', `it's "$HOME" \`id\` $(id) \\n \n\r\n!! ''`],
  ['what looks like a file', '@/etc/passwd'],
  ['nothing', ''],
  ['characters of any script', 'größer 東京 🪝'],
])('a shell leaves a body and headers as they are: %s', (_what, text) => {
  const headers = { 'content-type': 'text/plain', 'x-odd': text };
  const parsed = parseInShell({ method: 'PUT', url, headers, body: Buffer.from(text) });
  expect(parsed.arguments).toEqual([
    '--request',
    'PUT',
    url,
    '--header',
    'content-type: text/plain',
    '--header',
    text === '' ? 'x-odd;' : `x-odd: ${text}`,
    '--data-raw',
    text,
  ]);
});

test.each([
  ['bytes that are no text', Buffer.from([0xff, 39, 10, 13])],
  ['a NUL', Buffer.from('a\0b')],
  ['more than an argument holds', Buffer.from('x'.repeat(200_000))],
])('a body of %s is piped in', (_what, body) => {
  const parsed = parseInShell({ method: 'POST', url, headers: {}, body });
  expect(parsed.arguments).toEqual(['--request', 'POST', url, '--data-binary', '@-']);
  expect(parsed.piped.equals(body)).toBe(true);
});

test('a URL with brackets is no pattern', () => {
  const pattern = 'https://hooks.example/?ids=[1-3]&in={a,b}';
  const parsed = parseInShell({ method: 'POST', url: pattern, headers: {}, body: Buffer.from('') });
  expect(parsed.arguments.slice(2, 4)).toEqual(['--globoff', pattern]);
});

test('a request is written line by line', () => {
  const body = Buffer.from('{"a":1}');
  expect(writeCurl({ method: 'POST', url, headers: { 'x-a': '1' }, body })).toBe(
    `curl --request POST '${url}' \\\n  --header 'x-a: 1' \\\n  --data-raw '{"a":1}'`,
  );
});
