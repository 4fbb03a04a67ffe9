export {
  type AddressPolicy,
  type AddressPolicyOptions,
  type BlockReason,
  createAddressPolicy,
  type TargetFault,
  type TargetVerdict,
  type Verdict,
} from './address-policy.ts';
export {
  type AgentEvent,
  type AgentStats,
  createGuardedAgent,
  type GuardedAgent,
  type GuardedAgentOptions,
} from './agent.ts';
export { checkUrl, MAX_URL_CHARACTERS, parseTarget, type UrlCheck, type UrlFault } from './check-url.ts';
export { createDnsLookup, type DnsLookupOptions, type Lookup, type LookupAnswer } from './dns-lookup.ts';
export {
  type EgressConfig,
  type EgressObserver,
  egressAgent,
  egressGrammar,
  egressPolicy,
} from './egress-config.ts';
export { hasPassed, LOOP_HEADER } from './loop-header.ts';
export type {
  DialPhases,
  FailedSend,
  OutboundRequest,
  SendFailure,
  SendResult,
  SendTiming,
  SentResponse,
  Target,
  WithheldSend,
} from './outbound.ts';
export { type EgressProxy, parseProxyUrl } from './proxy/parse-proxy-url.ts';
export {
  createResolver,
  type Resolution,
  type Resolver,
  type ResolverEvent,
  type ResolverOptions,
  type ResolverStats,
} from './resolve.ts';
export {
  createTlsIdentity,
  MAX_CERTIFICATES_CHARACTERS,
  MAX_PRIVATE_KEY_CHARACTERS,
  type TlsIdentity,
  type TlsIdentityCheck,
  type TlsIdentityFault,
  type TlsIdentityParts,
} from './tls-identity.ts';
