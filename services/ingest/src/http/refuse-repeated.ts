import { type Problem, problem } from './problem.ts';

/** Node takes the first of several, and who stands in front of it may have judged by another (RFC 9112 §3.2). */
const SINGLE: ReadonlySet<string> = new Set(['host', 'authorization', 'content-type', 'transfer-encoding']);

/** Null for headers that name each of these once at most. `rawHeaders`: names and values in turn. */
export function refuseRepeated(rawHeaders: readonly string[]): Problem | null {
  const seen = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (!SINGLE.has(name)) continue;
    if (seen.has(name)) return repeated(name);
    seen.add(name);
  }
  return null;
}

const repeated = (name: string): Problem =>
  problem('malformed_request', `the header ${name} was sent more than once`, {
    headers: { connection: 'close' },
  });
