import { readFileSync } from 'node:fs';

/** Resident memory of a process in MB; 0 when it is gone. */
export function memoryOf(pid: number): number {
  try {
    const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes ?? 0) / 1_024;
  } catch {
    return 0;
  }
}

/** The most that it ever was, asked every second until stopped. */
export function watchMemory(pidOf: () => number): { stop(): number } {
  let most = 0;
  const look = () => {
    most = Math.max(most, memoryOf(pidOf()));
  };
  const timer = setInterval(look, 1_000);
  return {
    stop() {
      look();
      clearInterval(timer);
      return most;
    },
  };
}
