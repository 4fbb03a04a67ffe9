import type { OutboundRequest, SendResult, Target } from './outbound.ts';

export type {
  FailedSend,
  OutboundRequest,
  SendFailure,
  SendResult,
  SendTiming,
  SentResponse,
  Target,
} from './outbound.ts';

export interface AddressPolicyOptions {
  readonly allowedCidrs: readonly string[];
  readonly deniedPorts?: readonly number[];
  readonly httpsOnly?: boolean;
  readonly deniedHosts?: readonly string[];
}
export type Verdict = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };
export interface AddressPolicy {
  judgeAddress(address: string): Verdict;
}
export type UrlFault =
  | 'url_too_long'
  | 'url_malformed'
  | 'url_scheme'
  | 'url_credentials'
  | 'url_fragment'
  | 'url_port'
  | 'url_host_reserved'
  | 'url_address_blocked';
export type UrlCheck =
  | { readonly ok: true; readonly url: Target }
  | { readonly ok: false; readonly code: UrlFault; readonly detail: string };
export interface GuardedAgent {
  send(request: OutboundRequest): Promise<SendResult>;
  close(): Promise<void>;
}
export declare function createAddressPolicy(options: AddressPolicyOptions): AddressPolicy;
export declare function checkUrl(text: string, policy: AddressPolicy): UrlCheck;
/** Parses a URL that `checkUrl` accepted when it was stored; null if it is no http(s) URL. */
export declare function parseTarget(text: string): Target | null;
