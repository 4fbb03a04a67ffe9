export { type CancellationSubject, isCancelled } from './cancelled.ts';
export type { ConfigSource, RateExchange, RateReading } from './config-source.ts';
export {
  type CatalogueEntry,
  catalogueSource,
  createEventCatalogue,
  type EventCatalogue,
} from './event-catalogue.ts';
export {
  hasSystemEndpoints,
  matchingEndpoints,
  matchingSystemEndpoints,
  passesFilter,
} from './match-endpoints.ts';
export {
  AUTH_FIELD,
  basicCredentials,
  type OAuth2ClientCredentials,
  ownHeadersOf,
  type ReceiverAuth,
  type ReceiverTls,
  readAuth,
  readTls,
  TLS_FIELD,
  tlsPartsOf,
} from './receiver-auth.ts';
export { type SealedAnew, sealAnew } from './seal-anew.ts';
export {
  ED25519_KEY_FIELD,
  type EndpointSecret,
  headerField,
  SIGNING_SECRET_FIELD,
} from './sealed-parts.ts';
export { type Signer, signersOf } from './signers.ts';
export type { EndpointConfig, EndpointVersion, TenantConfig } from './tenant-config.ts';
export { toTenantConfig } from './tenant-config.ts';
export * from './tenant-configs.ts';
