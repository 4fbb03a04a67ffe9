import type { Socket } from 'node:net';
import type { SocketTarget } from './open-socket.ts';

/** What a broker, or we, had against a connection: a code of Node's TLS, or one of those below. */
export interface Refusal {
  readonly code?: string | undefined;
  readonly message: string;
}

/** A sentence for people: the cause and what to change. Undefined for what waiting may mend. */
export type Explain = (refusal: Refusal, at: string) => string | undefined;

/** The cluster is there, and it and we will not have each other: waiting does not help. */
export class KafkaRefusedError extends Error {
  override name = 'KafkaRefusedError';
}

export interface RefusalWatch {
  readonly explain: Explain;
  /** Whether we say who we are: a broker that wants to know closes the connection otherwise. */
  readonly hasSasl: boolean;
  /** Called when waiting will not help. */
  onRefused(sentence: string): void;
}

/** What a broker that starts, or a proxy in front of one, looks like as well. */
const MAY_PASS = new Set([
  'CLOSED_WITHOUT_ANSWER',
  'CLOSED_AT_FIRST_REQUEST',
  'CLOSED_IN_HANDSHAKE',
  'TLS_SILENT',
]);

/** kafkajs gives a connection up after ten seconds, but leaves the socket. */
const HANDSHAKE_TIMEOUT_MS = 8_000;
/** Time and size of what comes before a connection is of use: the list of what the broker understands. */
const FIRST_WORDS_MS = 5_000;
const FIRST_WORDS_BYTES = 2_048;
/** What a TLS port says to plain text; no answer of a broker is so short. */
const TLS_ALERT_BYTES = 7;

/**
 * Puts words that help in the place of an error's own before kafkajs reads them; of a connection that the broker closes
 * at once kafkajs says no more than "Closed connection". Must be given the socket before kafkajs is.
 */
export function nameRefusals(socket: Socket, { host, port, ssl }: SocketTarget, watch: RefusalWatch): void {
  const at = `${host}:${port}`;
  let readyAtMs: number | undefined;
  const handshake =
    ssl && setTimeout(() => socket.destroy(refusal('TLS_SILENT', 'no answer')), HANDSHAKE_TIMEOUT_MS).unref();
  const nameOfEnd = (): string | undefined => {
    if (readyAtMs === undefined) return ssl ? 'CLOSED_IN_HANDSHAKE' : undefined;
    const isNew = performance.now() - readyAtMs <= FIRST_WORDS_MS;
    return isNew ? nameOfFirstWords(socket, Boolean(ssl), watch.hasSasl) : undefined;
  };
  socket.once(ssl ? 'secureConnect' : 'connect', () => {
    clearTimeout(handshake);
    readyAtMs = performance.now();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    clearTimeout(handshake);
    const code = (error.code === 'ECONNRESET' && nameOfEnd()) || error.code;
    const sentence = watch.explain({ code, message: error.message }, at);
    if (sentence === undefined) return;
    error.message = sentence;
    if (!MAY_PASS.has(code ?? '')) watch.onRefused(sentence);
  });
  socket.once('end', () => {
    const code = readyAtMs === undefined ? undefined : nameOfEnd();
    if (code !== undefined) socket.emit('error', refusal(code, 'closed by the broker'));
  });
}

function nameOfFirstWords(socket: Socket, isSecured: boolean, hasSasl: boolean): string | undefined {
  const { bytesRead, bytesWritten, writableEnded } = socket;
  if (bytesWritten === 0 || writableEnded) return undefined;
  if (!isSecured && bytesRead <= TLS_ALERT_BYTES) return 'CLOSED_WITHOUT_ANSWER';
  return !hasSasl && bytesRead <= FIRST_WORDS_BYTES ? 'CLOSED_AT_FIRST_REQUEST' : undefined;
}

const refusal = (code: string, message: string): Error => Object.assign(new Error(message), { code });

/** What kafkajs rejects with when a broker does not take who we say we are. */
export function nameSaslFailure(error: unknown): Refusal | undefined {
  const { name, type, message } = error as { name?: string; type?: string; message: string };
  if (
    type === 'ILLEGAL_SASL_STATE' ||
    type === 'UNSUPPORTED_SASL_MECHANISM' ||
    /not supported by the server/.test(message)
  )
    return { code: 'SASL_NOT_TAKEN', message };
  return name === 'KafkaJSSASLAuthenticationError'
    ? { code: 'SASL_AUTHENTICATION_FAILED', message }
    : undefined;
}
