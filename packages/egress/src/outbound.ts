import type { TlsIdentity } from './tls-identity.ts';

/**
 * Where a request goes, parsed once when the endpoint is loaded (`parseTarget`): the hot path never parses a URL.
 * `hostname` is what WHATWG made of it (lower case, ASCII, literals normalised, IPv6 without brackets, no trailing dot).
 */
export interface Target {
  readonly protocol: 'http:' | 'https:';
  readonly hostname: string;
  readonly port: number;
  /** `https://example.com:8443`, without a default port. */
  readonly origin: string;
  /** Path and query, as sent in the request line. */
  readonly path: string;
}

export interface OutboundRequest {
  readonly target: Target;
  readonly method: 'POST' | 'PUT' | 'GET' | 'OPTIONS';
  /** Names to values, or a flat list of name, value, name, value. Neither Host nor Content-Length. */
  readonly headers: Readonly<Record<string, string>> | readonly string[];
  readonly body: Buffer;
  /** Milliseconds from the call of `send` for all of it: waiting, DNS, connection, TLS, headers and body. */
  readonly deadlineMs: number;
  /** How much of the response's body is read; the rest is left and the connection closed. Default 64 KB. */
  readonly maxResponseBytes?: number;
  /** Who we are and whom we trust in TLS, where the receiver has asked for more than names: its connections are its own. */
  readonly tls?: TlsIdentity | undefined;
  /** Whose request it is, a tenant: the names that one has looked up leave room for those of others. */
  readonly onBehalfOf?: string;
  /**
   * Asked once a connection is had, in the turn of the event loop in which the request is written: false, and nothing
   * is. Waiting, DNS and handshakes take time, in which what allowed the request may have ended.
   */
  mayWrite?(): boolean;
}

/**
 * `blocked` is for operators: to the tenant it is a refused connection, in words (`detail`) and in schedule.
 * `connect` also covers a connection that ends before the response does.
 */
export type SendFailure =
  | 'timeout'
  | 'dns'
  | 'connect'
  | 'tls'
  | 'protocol'
  | 'response_too_large'
  | 'blocked';

/** Milliseconds of the phases of opening a connection; null: not entered. Of one that failed, until it did. */
export interface DialPhases {
  /** Null for an address in place of a name. */
  readonly dnsMs: number | null;
  /** TCP, over all addresses that were tried. */
  readonly connectMs: number | null;
  readonly tlsMs: number | null;
}

/**
 * The phases of one request. Those of dialling are null where an open connection was used. What their sum lacks of the
 * total is waiting for a free connection, and reading the response.
 */
export interface SendTiming extends DialPhases {
  /** From the connection being had to the head of the final response; null when none came. */
  readonly firstByteMs: number | null;
  readonly totalMs: number;
  readonly reusedConnection: boolean;
}

export interface SentResponse {
  readonly kind: 'response';
  readonly status: number;
  /** Lower-case names; at most 64 of them. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** As received: never decompressed, at most `maxResponseBytes`. */
  readonly body: Buffer;
  readonly truncated: boolean;
  readonly retryAfter?: string;
  readonly timing: SendTiming;
}

export interface FailedSend {
  readonly kind: 'failure';
  readonly failure: SendFailure;
  /** Safe to show the tenant. */
  readonly detail: string;
  /** Only for operators: addresses, error codes. */
  readonly operatorDetail?: string;
  /** The operator's proxy opened no tunnel: for its own reasons, or because the receiver is not there. */
  readonly atProxy?: true;
  /** Whether the receiver may have seen any of the request. */
  readonly sentAnyBytes: boolean;
  /** The status, if the response broke off after its headers. */
  readonly status?: number;
  readonly timing: SendTiming;
}

/** `mayWrite` said no: the receiver has seen nothing of the request. */
export interface WithheldSend {
  readonly kind: 'withheld';
  readonly timing: SendTiming;
}

export type SendResult = SentResponse | FailedSend | WithheldSend;
