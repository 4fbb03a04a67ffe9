import type { OutboundRequest, SendResult } from './outbound.ts';

export {
  type AddressPolicy,
  type AddressPolicyOptions,
  createAddressPolicy,
  type TargetFault,
  type TargetVerdict,
  type Verdict,
} from './address-policy.ts';
export { checkUrl, MAX_URL_CHARACTERS, parseTarget, type UrlCheck, type UrlFault } from './check-url.ts';
export type {
  FailedSend,
  OutboundRequest,
  SendFailure,
  SendResult,
  SendTiming,
  SentResponse,
  Target,
} from './outbound.ts';

export interface GuardedAgent {
  send(request: OutboundRequest): Promise<SendResult>;
  close(): Promise<void>;
}
