import type { AgentStats } from '@posthorn/egress';
import type { Metrics } from '@posthorn/runtime';

export interface ObservedConnections {
  readonly agent: { stats(): AgentStats };
}

/** Connections to receivers and who waits for one, beside the bounds that hold them. */
export function observeConnections(metrics: Metrics, { agent }: ObservedConnections): void {
  const gauge = (name: string, help: string, of: (stats: AgentStats) => number): void =>
    metrics.gaugeOf(name, help, () => of(agent.stats()));
  gauge(
    'posthorn_worker_open_connections',
    'Connections to receivers, idle ones included.',
    ({ openConnections }) => openConnections,
  );
  gauge(
    'posthorn_worker_max_open_connections',
    'Bound of connections to receivers.',
    ({ maxConnections }) => maxConnections,
  );
  gauge(
    'posthorn_worker_idle_connections',
    'Connections that wait for a request to their receiver.',
    ({ idleConnections }) => idleConnections,
  );
  gauge(
    'posthorn_worker_full_addresses',
    'Addresses to which as many connections are open as may be.',
    ({ fullAddresses }) => fullAddresses,
  );
  gauge(
    'posthorn_worker_waiting_requests',
    'Requests that wait for a connection.',
    ({ waitingRequests }) => waitingRequests,
  );
  gauge(
    'posthorn_worker_max_waiting_requests',
    'Bound of requests that wait for a connection.',
    ({ maxWaiting }) => maxWaiting,
  );
  gauge(
    'posthorn_worker_tls_identities',
    'TLS contexts kept for endpoints with authorities or a client certificate of their own.',
    ({ tlsIdentities }) => tlsIdentities,
  );
  gauge(
    'posthorn_worker_max_tls_identities',
    'Bound of these contexts.',
    ({ maxTlsIdentities }) => maxTlsIdentities,
  );
}
