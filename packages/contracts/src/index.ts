export * from './api-key.ts';
export * from './build-replay.ts';
export * from './content-filter.ts';
export * from './delivery-state.ts';
export * from './event.ts';
export type { Headers } from './header-fields.ts';
export { RecordFormatError } from './header-fields.ts';
export * from './ids.ts';
export * from './journal.ts';
export * from './lanes.ts';
export * from './outcome.ts';
export * from './read-time.ts';
export * from './record-mac.ts';
export * from './records.ts';
export * from './request-headers.ts';
export * from './routed-event.ts';
export * from './side-records.ts';
export * from './tiers.ts';
export * from './topics.ts';
export {
  type FilterFault,
  MAX_FILTER_CHARS,
  MAX_FILTER_DEPTH,
  MAX_FILTER_NODES,
  MAX_FILTER_TEXT_CHARS,
} from './walk-filter.ts';
