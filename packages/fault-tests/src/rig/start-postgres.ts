import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ServerProcess, startEmbeddedPostgres } from '@posthorn/scripts/embedded';
import { freePort } from '@posthorn/testkit';
import { createServerControl, type Server } from './server.ts';

/**
 * What was committed outlives a kill of the server, as it does in production: written to the operating system at every
 * commit. That the machine itself dies is no part of this, so nothing waits for the disk.
 */
const OUTLIVES_KILLS = { synchronous_commit: 'on', autovacuum: 'on' };

export interface Postgres extends Server {
  /** Of a superuser's database; others are made beside it. */
  readonly url: string;
}

export async function startPostgres(
  dir: string,
  onSpawn: (name: string, pid: number) => void,
): Promise<Postgres> {
  const port = await freePort();
  let url = '';
  const server = await createServerControl({
    name: 'postgres',
    async start() {
      const started = await startEmbeddedPostgres({
        dir: join(dir, 'postgres'),
        port,
        shortLived: true,
        settings: OUTLIVES_KILLS,
        onSpawn: (pid) => onSpawn('Postgres', pid),
      });
      url = started.url;
      return started.server;
    },
    kill: killWithBackends,
    stop: (running) => running.stop('SIGINT', 30_000),
  });
  return { ...server, url };
}

/** All of its processes at one moment, as when a machine dies: those of its connections would outlive it for a while. */
async function killWithBackends(server: ServerProcess): Promise<void> {
  const backends = await childrenOf(server.pid);
  for (const pid of [server.pid, ...backends]) killIfThere(pid);
  await server.exited;
}

async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = await Promise.all(pids.map(parentOf));
  return pids.filter((_, index) => parents[index] === parent);
}

async function parentOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}
