import { topicNames } from '@posthorn/contracts';
import type { AgentStats } from '@posthorn/egress';
import type { JournalStats } from '@posthorn/journal';
import type { ConsumerStats, PartitionStats } from '@posthorn/kafka';
import type { Metrics } from '@posthorn/runtime';
import type { TenantConfigsStats } from '@posthorn/tenant-config';
import type { TokensStats } from './attempt/tokens.ts';
import type { WorkerConfig } from './config.ts';
import type { OverflowStats } from './intake/consume-lanes.ts';
import type { RepeatsStats } from './intake/repeats.ts';
import { observeConnections } from './observe-connections.ts';
import { observeNames } from './observe-egress.ts';
import { observeScheduler, observeTurns } from './observe-scheduler.ts';
import type { Breaker } from './schedule/breaker.ts';
import type { SchedulerStats } from './schedule/scheduler.ts';

/** What is read at every scrape, and the bounds it is held against. */
export interface Observed {
  readonly scheduler: { stats(): SchedulerStats };
  readonly consumer: { stats(): ConsumerStats; mayAct(): boolean };
  readonly producer: { readonly bufferedBytes: number; readonly bufferedRecords: number };
  readonly journal: { stats(): JournalStats };
  readonly configs: { stats(): TenantConfigsStats };
  readonly acknowledger: { readonly stalled: number };
  readonly agent: { stats(): AgentStats };
  readonly breaker: Pick<Breaker, 'stats'>;
  readonly gone: { readonly size: number };
  readonly intake: { stats(): OverflowStats };
  readonly repeats: { stats(): RepeatsStats };
  readonly mover: { readonly underWay: number };
  readonly tokens: { stats(): TokensStats };
  readonly config: Pick<
    WorkerConfig,
    | 'topicPrefix'
    | 'maxRepeats'
    | 'maxOverflowMoves'
    | 'maxOverflowSpans'
    | 'maxConcurrentAttempts'
    | 'maxHostConcurrency'
    | 'maxUnsettledSlots'
    | 'maxLaneSlots'
    | 'maxBufferedBytes'
    | 'breakerMaxEndpoints'
    | 'maxCachedTokens'
    | 'egressDnsMaxNames'
    | 'egressDnsMaxLookups'
  >;
}

export function observeWorker(metrics: Metrics, observed: Observed): void {
  observeScheduler(metrics, observed);
  observeTurns(metrics, observed);
  observeLanes(metrics, observed);
  observeOverflow(metrics, observed);
  observeRepeats(metrics, observed);
  observeWrites(metrics, observed);
  observeConnections(metrics, observed);
  observeReceivers(metrics, observed);
  observeTokens(metrics, observed);
  observeNames(metrics, observed);
}

function observeLanes(metrics: Metrics, { consumer, config }: Observed): void {
  const { deliveries } = topicNames(config.topicPrefix);
  const lanes = () => consumer.stats().partitions.filter(({ topic }) => topic === deliveries);
  metrics.gaugeOf('posthorn_worker_assigned_lanes', 'Lanes assigned to this worker.', () => lanes().length);
  metrics.gaugeOf('posthorn_worker_lag_records', 'Deliveries records not yet fetched.', () =>
    sumOf(lanes(), ({ lag }) => lag ?? 0),
  );
  metrics.gaugeOf(
    'posthorn_worker_uncommitted_records',
    'Records between the lowest unfinished one and the position.',
    () => sumOf(consumer.stats().partitions, ({ uncommittedSpan }) => uncommittedSpan),
  );
  metrics.gaugeOf(
    'posthorn_worker_largest_map_chars',
    'Characters of the largest map of unfinished records; reading stops near 4,096.',
    () => Math.max(0, ...consumer.stats().partitions.map(({ mapChars }) => mapChars)),
  );
  metrics.gaugeOf(
    'posthorn_worker_handed_over_slots',
    'Slots of lanes taken over at which an earlier owner may still be.',
    () => sumOf(consumer.stats().partitions, ({ held }) => held),
  );
  metrics.counterOf(
    'posthorn_worker_rebalances_total',
    'Rebalances of the group.',
    () => consumer.stats().rebalances,
  );
  metrics.counterOf(
    'posthorn_worker_commit_failures_total',
    'Commits that were refused or not answered.',
    () => consumer.stats().commitFailures,
  );
  metrics.gaugeOf(
    'posthorn_worker_fence_open',
    '1 while attempts may start, 0 while the group may have given the lanes away.',
    () => (consumer.mayAct() ? 1 : 0),
  );
}

function observeOverflow(metrics: Metrics, { consumer, intake, mover, config }: Observed): void {
  const { overflow } = topicNames(config.topicPrefix);
  metrics.gaugeOf(
    'posthorn_worker_overflow_records',
    'Records in the overflow that wait for room of their tenants, those not fetched yet included.',
    () =>
      sumOf(consumer.stats().partitions, (each) =>
        each.topic === overflow ? each.passedOver + (each.lag ?? 0) : 0,
      ),
  );
  metrics.gaugeOf(
    'posthorn_worker_overflow_tenants',
    'Tenants with records in the overflow of a lane.',
    () => intake.stats().tenants,
  );
  metrics.gaugeOf(
    'posthorn_worker_overflow_spans',
    'Offset ranges of the overflow that are kept to be read again.',
    () => intake.stats().runs,
  );
  metrics.gaugeOf(
    'posthorn_worker_max_overflow_spans',
    'Bound of these ranges per lane.',
    () => config.maxOverflowSpans,
  );
  metrics.gaugeOf(
    'posthorn_worker_moving_records',
    'Records whose copy is not acknowledged yet.',
    () => mover.underWay,
  );
  metrics.gaugeOf(
    'posthorn_worker_max_moving_records',
    'Bound of records on the move.',
    () => config.maxOverflowMoves,
  );
  metrics.gaugeOf(
    'posthorn_worker_taking_over_lanes',
    'Lanes whose overflow has not been read to where it was when they came.',
    () => intake.stats().takingOver,
  );
}

function observeRepeats(metrics: Metrics, { repeats, config }: Observed): void {
  metrics.gaugeOf(
    'posthorn_worker_remembered_attempts',
    'Deliveries whose last attempt is remembered, so that a second copy of it is none.',
    () => repeats.stats().remembered,
  );
  metrics.gaugeOf(
    'posthorn_worker_max_remembered_attempts',
    'Bound of deliveries remembered.',
    () => config.maxRepeats,
  );
  metrics.gaugeOf(
    'posthorn_worker_remembered_bytes',
    'Memory of what is remembered.',
    () => repeats.stats().bytes,
  );
  metrics.counterOf(
    'posthorn_worker_remembered_evictions_total',
    'Deliveries forgotten before their time, or never remembered, for want of room.',
    () => repeats.stats().evicted,
  );
}

function observeWrites(metrics: Metrics, observed: Observed): void {
  metrics.gaugeOf(
    'posthorn_worker_producer_buffered_bytes',
    'Records not yet acknowledged.',
    () => observed.producer.bufferedBytes,
  );
  metrics.gaugeOf(
    'posthorn_worker_journal_buffered_bytes',
    'Journal entries not yet acknowledged.',
    () => observed.journal.stats().bufferedBytes,
  );
  metrics.gaugeOf(
    'posthorn_worker_max_journal_buffered_bytes',
    'Bound of journal entries not yet acknowledged.',
    () => observed.journal.stats().maxBufferedBytes,
  );
  metrics.gaugeOf(
    'posthorn_worker_stalled_writes',
    'Writes that wait to be asked again.',
    () => observed.acknowledger.stalled,
  );
  metrics.gaugeOf(
    'posthorn_worker_cached_endpoints',
    'Endpoints whose configuration is cached.',
    () => observed.configs.stats().endpoints,
  );
}

function observeReceivers(metrics: Metrics, { breaker, gone, config }: Observed): void {
  metrics.gaugeOf(
    'posthorn_worker_open_circuits',
    'Endpoints to which nothing but single probes is sent.',
    () => breaker.stats().openCircuits,
  );
  metrics.gaugeOf(
    'posthorn_worker_failing_endpoints',
    'Endpoints with a recent failure, whose attempts are counted.',
    () => breaker.stats().endpoints,
  );
  metrics.gaugeOf(
    'posthorn_worker_max_failing_endpoints',
    'Bound of endpoints whose attempts are counted.',
    () => config.breakerMaxEndpoints,
  );
  metrics.gaugeOf(
    'posthorn_worker_gone_endpoints',
    'Endpoints that answered 410 and whose configuration does not say so yet.',
    () => gone.size,
  );
}

function observeTokens(metrics: Metrics, { tokens, config }: Observed): void {
  metrics.gaugeOf(
    'posthorn_worker_cached_tokens',
    'Endpoints with OAuth2 whose token, or the failure to get it, is remembered.',
    () => tokens.stats().entries,
  );
  metrics.gaugeOf(
    'posthorn_worker_max_cached_tokens',
    'Bound of endpoints whose tokens are remembered.',
    () => config.maxCachedTokens,
  );
  metrics.gaugeOf(
    'posthorn_worker_token_requests_in_flight',
    'Requests to token endpoints under way.',
    () => tokens.stats().asking,
  );
  metrics.counterOf(
    'posthorn_worker_token_evictions_total',
    'Tokens forgotten for want of room.',
    () => tokens.stats().evicted,
  );
}

function sumOf(partitions: readonly PartitionStats[], of: (each: PartitionStats) => number): number {
  return partitions.reduce((sum, each) => sum + of(each), 0);
}
