import type { LogLine } from '@posthorn/system-tests';

const MAX_LISTED = 10;

/** What is wrong with the log of a run: a line that is no JSON, a refused request with no line or with several. */
export function judgeLog(lines: readonly LogLine[], requestIds: readonly string[]): string[] {
  const counts = new Map<string, number>();
  const faults: string[] = [];
  for (const line of lines) {
    if (line.level === undefined) faults.push(`not a log line: ${line.raw.slice(0, 200)}`);
    const id = line.request_id;
    if (typeof id === 'string') counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  for (const id of requestIds) {
    const count = counts.get(id) ?? 0;
    if (count !== 1) faults.push(`${count} log lines of ${id}`);
  }
  return faults.slice(0, MAX_LISTED);
}
