import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Which processes a run has started, so that the next one can stop what a killed run left behind. A pid alone may
 * belong to somebody else by then: the moment of its start goes with it.
 */

/** @typedef {{ name: string, pid: number, startedAt: string }} Started */

const POLL_MS = 25;
const LEFTOVER_GRACE_MS = 10_000;

/**
 * @param {string} name
 * @param {number} pid
 * @returns {Started}
 */
export function identify(name, pid) {
  return { name, pid, startedAt: startOf(pid) ?? '' };
}

/**
 * When a process started, in whatever unit the system tells it; undefined when it is gone or a zombie.
 * @param {number} pid
 */
function startOf(pid) {
  try {
    if (existsSync('/proc/self/stat')) {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return state === 'Z' ? undefined : rest[18];
    }
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** @param {Started} process */
export function isAlive({ pid, startedAt }) {
  return startOf(pid) === startedAt;
}

/**
 * Whether a process that leads a group, or one of its group, is there. No new process gets the number of a group that
 * still has members.
 * @param {Started} process_
 */
function remains(process_) {
  if (isAlive(process_)) return true;
  return startOf(process_.pid) === undefined && kill(process_.pid, 0);
}

/**
 * Opens a run's file with the run itself as its first entry. Written in one turn of the event loop, so that two starts
 * at once lose nothing.
 * @param {string} file
 * @param {string} owner
 */
export function openRunFile(file, owner) {
  const processes = [identify(owner, process.pid)];
  const write = () => {
    writeFileSync(`${file}.draft`, JSON.stringify(processes));
    renameSync(`${file}.draft`, file);
  };
  write();
  return {
    /** @param {string} name @param {number | undefined} pid */
    add(name, pid) {
      if (!pid) return;
      processes.push(identify(name, pid));
      write();
    },
  };
}

/**
 * Those of a run's processes that are still there. All but the run itself lead a group of their own.
 * @param {string} file
 * @returns {Promise<Started[]>}
 */
export async function readRunFile(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8')).filter(remains);
  } catch {
    return [];
  }
}

/**
 * Stops what a killed run left, services first and Postgres last, and answers their names.
 * @param {string} file
 * @param {number} graceMs how long each may take to stop in order
 * @returns {Promise<string[]>}
 */
export async function stopLeftovers(file, graceMs = LEFTOVER_GRACE_MS) {
  const left = await readRunFile(file);
  const infra = ['Kafka', 'Postgres'];
  await Promise.all(
    left.filter(({ name }) => !infra.includes(name)).map((each) => stop(each, 'SIGTERM', graceMs)),
  );
  for (const name of infra) {
    // SIGINT is Postgres' fast shutdown; Kafka takes either.
    await Promise.all(left.filter((each) => each.name === name).map((each) => stop(each, 'SIGINT', graceMs)));
  }
  await rm(file, { force: true });
  return left.map(({ name }) => name);
}

/**
 * @param {Started} process_
 * @param {NodeJS.Signals} signal
 * @param {number} graceMs
 */
async function stop(process_, signal, graceMs) {
  const deadline = performance.now() + graceMs;
  kill(process_.pid, signal);
  while (remains(process_)) {
    if (performance.now() > deadline) kill(process_.pid, 'SIGKILL');
    await delay(POLL_MS);
  }
}

/**
 * Signals a whole group; false when nobody is in it.
 * @param {number} leader
 * @param {NodeJS.Signals | 0} signal
 */
function kill(leader, signal) {
  try {
    return process.kill(-leader, signal);
  } catch {
    return false;
  }
}
