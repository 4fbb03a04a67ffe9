import { readdir, readFile } from 'node:fs/promises';

/** CPU and memory of processes, from the operating system (`/proc`), their children included. */
const TICKS_PER_SEC = 100;
const PAGE_BYTES = 4096;

export interface Usage {
  readonly cpuSec: number;
  readonly residentMb: number;
}

export async function usageOf(rootPid: number): Promise<Usage> {
  const children = await childrenByParent();
  const pids = [rootPid];
  for (let i = 0; i < pids.length; i++) pids.push(...(children.get(pids[i]!) ?? []));
  let ticks = 0;
  let pages = 0;
  for (const pid of pids) {
    const stat = await readStat(pid);
    if (!stat) continue;
    ticks += stat.ticks;
    pages += stat.residentPages;
  }
  return { cpuSec: ticks / TICKS_PER_SEC, residentMb: (pages * PAGE_BYTES) / 1e6 };
}

async function childrenByParent(): Promise<Map<number, number[]>> {
  const children = new Map<number, number[]>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readStat(Number(name));
    if (stat) children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(name)]);
  }
  return children;
}

/** Fields 4 (ppid), 14–17 (utime, stime and those of waited-for children), 24 (rss) of proc(5)'s stat. */
async function readStat(pid: number) {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const ticks = fields[11]! + fields[12]! + fields[13]! + fields[14]!;
  return { parent: fields[1]!, ticks, residentPages: fields[21]! };
}
