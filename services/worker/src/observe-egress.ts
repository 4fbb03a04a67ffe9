import type { AgentEvent, AgentStats, EgressObserver, ResolverEvent } from '@posthorn/egress';
import type { Metrics } from '@posthorn/runtime';
import type { WorkerConfig } from './config.ts';

const LOOKUP_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Counts what the guard says. The true reason of a blocked attempt is for operators: its tenant reads another one. */
export function countEgress(metrics: Metrics): EgressObserver {
  const blocked = metrics.counter(
    'posthorn_worker_blocked_requests_total',
    'Requests that the egress policy did not let out, by why.',
    ['why'],
  );
  const lookups = metrics.counter(
    'posthorn_worker_dns_lookups_total',
    'Names asked for in DNS, by what came of it.',
    ['result'],
  );
  const duration = metrics.histogram(
    'posthorn_worker_dns_lookup_duration_seconds',
    'Time of a lookup, both address families together.',
    LOOKUP_SECONDS,
  );
  const atProxy = metrics.counter(
    'posthorn_worker_proxy_failures_total',
    'Connections that the proxy did not open, for its own reasons or because the receiver is not there.',
  );
  return {
    onEvent(event: AgentEvent | ResolverEvent) {
      if (event.kind === 'blocked') blocked.inc({ why: event.why });
      if (event.kind === 'connection_refused' && event.atProxy) atProxy.inc();
      if (event.kind !== 'lookup') return;
      lookups.inc({ result: event.result });
      duration.observe(event.ms / 1_000);
    },
  };
}

export interface ObservedNames {
  readonly agent: { stats(): Pick<AgentStats, 'names'> };
  readonly config: Pick<WorkerConfig, 'egressDnsMaxNames' | 'egressDnsMaxLookups'>;
}

export function observeNames(metrics: Metrics, { agent, config }: ObservedNames): void {
  const names = () => agent.stats().names;
  metrics.gaugeOf(
    'posthorn_worker_dns_cached_names',
    'Names whose addresses are remembered.',
    () => names().entries,
  );
  metrics.gaugeOf(
    'posthorn_worker_max_dns_cached_names',
    'Bound of these names.',
    () => config.egressDnsMaxNames,
  );
  metrics.gaugeOf(
    'posthorn_worker_dns_running_lookups',
    'Names asked for right now.',
    () => names().inFlight,
  );
  metrics.gaugeOf(
    'posthorn_worker_max_dns_running_lookups',
    'Bound of names asked for at once.',
    () => config.egressDnsMaxLookups,
  );
  metrics.gaugeOf(
    'posthorn_worker_dns_waiting_lookups',
    'Names that wait to be asked for.',
    () => names().waiting,
  );
  metrics.counterOf(
    'posthorn_worker_dns_cache_hits_total',
    'Connections whose name was remembered.',
    () => names().hits,
  );
  metrics.counterOf(
    'posthorn_worker_dns_cache_evictions_total',
    'Names forgotten for want of room.',
    () => names().evicted,
  );
}
