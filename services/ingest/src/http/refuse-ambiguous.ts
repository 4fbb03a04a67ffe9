import type { IncomingMessage } from 'node:http';
import { type Problem, problem } from './problem.ts';

/** Node takes the first of several, and who stands in front of it may have judged by another (RFC 9112 §3.2). */
const SINGLE: ReadonlySet<string> = new Set(['host', 'authorization', 'content-type', 'transfer-encoding']);

type Framed = Pick<IncomingMessage, 'rawHeaders' | 'httpVersion'>;

/** Null for a request that names each of these once at most, and whose end is where everybody reads it. */
export function refuseAmbiguous({ rawHeaders, httpVersion }: Framed): Problem | null {
  const seen = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (!SINGLE.has(name)) continue;
    if (seen.has(name)) return malformed(`the header ${name} was sent more than once`);
    if (name === 'transfer-encoding' && !isPlainlyChunked(rawHeaders[i + 1]!, httpVersion))
      return malformed('the only transfer coding is chunked, of HTTP/1.1');
    seen.add(name);
  }
  return null;
}

/** Another coding would be left as it is here and undone by others; HTTP/1.0 has none (RFC 9112 §6.1). */
const isPlainlyChunked = (coding: string, httpVersion: string): boolean =>
  coding.toLowerCase() === 'chunked' && httpVersion === '1.1';

const malformed = (detail: string): Problem =>
  problem('malformed_request', detail, { headers: { connection: 'close' } });
