import { errors } from 'undici';
import type { SendFailure } from './outbound.ts';
import { tlsDetail } from './tls-detail.ts';

export interface Classified {
  readonly failure: SendFailure;
  readonly detail: string;
  readonly operatorDetail: string;
}

/** The connection ended before undici wrote the request: nothing of it can have been seen. */
export class StaleConnection extends Error {
  readonly code = 'POSTHORN_STALE_CONNECTION';
}

const CONNECTION_CODES: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'POSTHORN_STALE_CONNECTION',
]);
const CLOSED_EARLY = 'the connection was closed before the response was complete';

/**
 * What an error of undici or of the socket, after the connection was open, means. By class and code, never by text.
 * undici uses one class for "the receiver closed" and "the receiver sent what it may not": the socket tells which.
 */
export function classifyError(error: unknown, endedByReceiver: boolean): Classified {
  const code = codeOf(error);
  const of = (failure: SendFailure, detail: string): Classified => ({
    failure,
    detail,
    operatorDetail: code,
  });
  if (error instanceof errors.HeadersOverflowError) {
    return of('response_too_large', 'the response has too large headers');
  }
  if (isConnectionError(error)) return of('connect', CLOSED_EARLY);
  if (code.startsWith('ERR_SSL')) return of('tls', tlsDetail(code) ?? 'the TLS connection failed');
  if (endedByReceiver) return of('connect', CLOSED_EARLY);
  if (error instanceof errors.InvalidArgumentError || error instanceof errors.NotSupportedError) {
    return of('protocol', 'the request could not be written');
  }
  return of('protocol', 'the response is not valid HTTP/1.1');
}

/** Whether the connection itself failed, rather than what came over it. */
export function isConnectionError(error: unknown): boolean {
  return CONNECTION_CODES.has(codeOf(error));
}

function codeOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return typeof code === 'string' ? code : 'EUNKNOWN';
}
