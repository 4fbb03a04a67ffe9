import type { IncomingHttpHeaders } from 'node:http';

/** Headers that change from one try of a request to the next. */
const OF_THE_TRY = new Set(['ce-traceparent', 'ce-tracestate']);

/**
 * What a request says of its event, as it was sent: the body, and of a CloudEvent in binary mode the attributes, which
 * stand in headers. The same request sent again gives the same bytes.
 */
export function eventSource(headers: IncomingHttpHeaders, body: Buffer): Buffer {
  if (headers['ce-id'] === undefined) return body;
  const attributes = Object.keys(headers)
    .filter((name) => name === 'content-type' || (name.startsWith('ce-') && !OF_THE_TRY.has(name)))
    .sort()
    .map((name) => `${name}: ${String(headers[name])}\n`);
  return Buffer.concat([Buffer.from(`${attributes.join('')}\n`), body]);
}
