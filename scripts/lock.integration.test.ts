import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isLocked, tryLock } from './lock.mjs';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'posthorn-lock-'));
});
afterEach(() => rm(root, { recursive: true }));

it('is held by one, until it is released', async () => {
  const release = await tryLock('run', root);
  expect(isLocked('run', root)).toBe(true);
  expect(await tryLock('run', root)).toBeUndefined();
  release?.();
  expect(isLocked('run', root)).toBe(false);
  expect(await tryLock('run', root)).toBeDefined();
});

it('keeps its purposes apart', async () => {
  await tryLock('run', root);
  expect(await tryLock('setup', root)).toBeDefined();
});

it.each([
  ['a process that is gone', '{"name":"run","pid":999999999,"startedAt":"1"}'],
  ['a pid that belongs to somebody else by now', `{"name":"run","pid":${process.pid},"startedAt":"1"}`],
  ['a file that was cut short', '{"name"'],
])('is taken over from %s', async (_what, content) => {
  await mkdir(join(root, '.posthorn'));
  await writeFile(join(root, '.posthorn', 'run.lock'), content);
  expect(isLocked('run', root)).toBe(false);
  expect(await tryLock('run', root)).toBeDefined();
});

it('goes to exactly one of many processes that find it stale at once', async () => {
  await mkdir(join(root, '.posthorn'));
  await writeFile(join(root, '.posthorn', 'run.lock'), '{"name":"run","pid":999999999,"startedAt":"1"}');
  const module = new URL('./lock.mjs', import.meta.url).href;
  const script = `import { tryLock } from ${JSON.stringify(module)};
    console.log(await tryLock('run', ${JSON.stringify(root)}) ? 'held' : 'refused');
    process.stdin.resume();`;
  const takers = Array.from({ length: 6 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  const answers = await Promise.all(
    takers.map(async (taker) => String((await once(taker.stdout, 'data'))[0]).trim()),
  );
  for (const taker of takers) taker.kill();
  expect(answers.filter((answer) => answer === 'held')).toHaveLength(1);
});
