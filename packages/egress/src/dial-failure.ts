import type { Socket } from 'node:net';
import type { BlockReason } from './address-policy.ts';
import type { SendFailure } from './outbound.ts';
import { CONNECTION_REFUSED } from './resolve.ts';
import { tlsDetail } from './tls-detail.ts';

export interface DialFailure {
  /** Of what the policy blocked. */
  readonly why?: BlockReason;
  readonly failure: SendFailure;
  readonly detail: string;
  readonly operatorDetail: string;
  /** The operator's proxy opened no tunnel: for its own reasons, or because the receiver is not there. */
  readonly atProxy?: true;
}

export type Failed = { readonly ok: false } & DialFailure;
export type Outcome = { readonly ok: true; readonly socket: Socket } | Failed;

export const CONNECT_TIMED_OUT = 'the connection timed out';
export const TIMED_OUT = { failure: 'timeout', detail: CONNECT_TIMED_OUT } as const;
const CONNECT_DETAIL: Readonly<Record<string, string>> = {
  ECONNREFUSED: CONNECTION_REFUSED,
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
};

export function failedToConnect(code: string, operatorDetail: string): Failed {
  if (code === 'ETIMEDOUT') return fail('timeout', CONNECT_TIMED_OUT, operatorDetail);
  return fail('connect', CONNECT_DETAIL[code] ?? 'the connection failed', operatorDetail);
}

export function failedInTls(code: string, operatorDetail: string): Failed {
  return fail('tls', tlsDetail(code) ?? 'the TLS handshake failed', operatorDetail);
}

export function fail(failure: SendFailure, detail: string, operatorDetail: string): Failed {
  return { ok: false, failure, detail, operatorDetail };
}
