import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { identify, isAlive, openRunFile, readRunFile, stopLeftovers } from './run-file.mjs';

let dir: string;
let file: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'posthorn-run-'));
  file = join(dir, 'run.json');
});
afterEach(() => rm(dir, { recursive: true }));

/** A process that leads a group, with another one in it. */
async function startGroup() {
  const script = `const child = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    console.log(child.pid); setInterval(() => {}, 1000);`;
  const leader = spawn(process.execPath, ['-e', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const member = identify('member', Number((await once(leader.stdout, 'data'))[0]));
  return { leader, member };
}

it('stops what a killed run left, with all that it started', async () => {
  const { leader, member } = await startGroup();
  await writeFile(file, JSON.stringify([identify('worker', leader.pid!)]));
  expect(await stopLeftovers(file)).toEqual(['worker']);
  expect(isAlive(member)).toBe(false);
  expect(await readRunFile(file)).toEqual([]);
});

it('stops the rest of a group whose leader is gone', async () => {
  const { leader, member } = await startGroup();
  await writeFile(file, JSON.stringify([identify('tests', leader.pid!)]));
  leader.kill('SIGKILL');
  await once(leader, 'exit');
  expect(await stopLeftovers(file)).toEqual(['tests']);
  expect(isAlive(member)).toBe(false);
});

it('leaves alone a process that has the number of one that is gone', async () => {
  const { leader, member } = await startGroup();
  await writeFile(file, JSON.stringify([{ name: 'worker', pid: leader.pid, startedAt: '1' }]));
  expect(await stopLeftovers(file)).toEqual([]);
  expect(isAlive(member)).toBe(true);
  process.kill(-leader.pid!, 'SIGKILL');
});

it('names the run and all that it starts', async () => {
  openRunFile(file, 'npm start').add('worker', process.ppid);
  const names = JSON.parse(await readFile(file, 'utf8')).map(({ name }: { name: string }) => name);
  expect(names).toEqual(['npm start', 'worker']);
});
