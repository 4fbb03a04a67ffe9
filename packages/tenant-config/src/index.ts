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
export type { EndpointConfig, EndpointSecret, EndpointVersion, TenantConfig } from './tenant-config.ts';
export { headerField, SIGNING_SECRET_FIELD, toTenantConfig } from './tenant-config.ts';
export * from './tenant-configs.ts';
