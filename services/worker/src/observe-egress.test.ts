import { createMetrics } from '@posthorn/runtime';
import { expect, test } from 'vitest';
import { countEgress, observeNames } from './observe-egress.ts';

test('operators read why requests were blocked, how DNS answered, and how near it is to its bounds', async () => {
  const metrics = createMetrics('worker');
  const { onEvent } = countEgress(metrics);
  const blocked = { kind: 'blocked', origin: 'https://a.example', reason: 'loopback' } as const;
  for (const why of ['special_address', 'port', 'port'] as const) onEvent!({ ...blocked, why });
  onEvent!({ kind: 'lookup', result: 'blocked', ms: 12 });
  onEvent!({ kind: 'connection_closed' });
  const names = { entries: 7, inFlight: 2, waiting: 1, hits: 40, evicted: 3 };
  const config = { egressDnsMaxNames: 100, egressDnsMaxLookups: 8 };
  observeNames(metrics, { agent: { stats: () => ({ names }) }, config });
  const shown = (await metrics.registry.metrics())
    .replaceAll('service="worker",', '')
    .replaceAll(',service="worker"', '')
    .replaceAll('{service="worker"}', '');
  for (const line of [
    'posthorn_worker_blocked_requests_total{why="special_address"} 1',
    'posthorn_worker_blocked_requests_total{why="port"} 2',
    'posthorn_worker_dns_lookups_total{result="blocked"} 1',
    'posthorn_worker_dns_lookup_duration_seconds_count 1',
    'posthorn_worker_dns_cached_names 7',
    'posthorn_worker_max_dns_cached_names 100',
    'posthorn_worker_dns_running_lookups 2',
    'posthorn_worker_max_dns_running_lookups 8',
    'posthorn_worker_dns_waiting_lookups 1',
    'posthorn_worker_dns_cache_hits_total 40',
    'posthorn_worker_dns_cache_evictions_total 3',
  ]) {
    expect(shown).toContain(line);
  }
});
