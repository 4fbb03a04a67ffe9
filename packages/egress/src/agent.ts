import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { AddressPolicy } from './address-policy.ts';
import { classifyError } from './classify-error.ts';
import { Connection, type ConnectionOptions, StaleConnection } from './connection.ts';
import { type DialFailure, dial } from './dial.ts';
import type { Exchanged } from './exchange.ts';
import { OpenConnections, type Origin } from './open-connections.ts';
import type { FailedSend, OutboundRequest, SendFailure, SendResult, SendTiming, Target } from './outbound.ts';
import { CONNECTION_REFUSED, createResolver, type Resolver } from './resolve.ts';
import { waitForTurn } from './wait-for-turn.ts';

export type AgentEvent =
  | { readonly kind: 'connection_opened'; readonly ms: number }
  | { readonly kind: 'connection_refused'; readonly failure: SendFailure }
  | { readonly kind: 'connection_closed' }
  | { readonly kind: 'stale_connection_retried' };

export interface GuardedAgentOptions {
  readonly policy: AddressPolicy;
  readonly resolver?: Resolver;
  /** Further certificate authorities, for tests and private networks. TLS 1.2 at least, whatever is said here. */
  readonly tls?: Pick<SecureContextOptions, 'ca'>;
  /** Origins remembered; beyond them the least recently used one's connections are closed. */
  readonly maxOrigins?: number;
  readonly connectionsPerOrigin?: number;
  readonly maxConnections?: number;
  /** Requests that wait for a connection because one of these limits is reached. */
  readonly maxWaiting?: number;
  readonly keepAliveMs?: number;
  /** However busy, a connection is given up at this age, so that a changed DNS entry is noticed. */
  readonly maxConnectionAgeMs?: number;
  readonly connectTimeoutMs?: number;
  readonly maxResponseHeaderBytes?: number;
  readonly monotonicMs?: () => number;
  readonly onEvent?: (event: AgentEvent) => void;
}

export interface AgentStats {
  readonly origins: number;
  readonly openConnections: number;
  readonly idleConnections: number;
  readonly waitingRequests: number;
  readonly requestsInFlight: number;
  readonly evictedOrigins: number;
}

/** Sends requests to receivers nobody trusts. Modes: *open*, then *closing* (what is in flight ends), then *closed*. */
export interface GuardedAgent {
  /** Never rejects for anything a receiver, its network or its DNS does. @throws {Error} once `close` was called. */
  send(request: OutboundRequest): Promise<SendResult>;
  stats(): AgentStats;
  /** Closes idle connections and waits for the requests in flight (their deadlines bound it). Safe twice. */
  close(): Promise<void>;
}

type Acquired = Connection | DialFailure;

const DEFAULT_MAX_RESPONSE_BYTES = 64 * 1_024;

export function createGuardedAgent(options: GuardedAgentOptions): GuardedAgent {
  const { policy, monotonicMs = () => performance.now(), onEvent } = options;
  const { maxConnectionAgeMs = 300_000, connectTimeoutMs = 10_000, maxWaiting = 10_000 } = options;
  const connections = new OpenConnections({
    maxOrigins: options.maxOrigins ?? 10_000,
    connectionsPerOrigin: options.connectionsPerOrigin ?? 128,
    maxConnections: options.maxConnections ?? 4_096,
  });
  const connectionOptions: ConnectionOptions = {
    keepAliveMs: options.keepAliveMs ?? 10_000,
    maxResponseHeaderBytes: options.maxResponseHeaderBytes ?? 16_384,
  };
  const dialOptions = {
    resolver: options.resolver ?? createResolver({ policy }),
    // One for all connections: making it parses every certificate authority again.
    secureContext: createSecureContext({ ...options.tls, minVersion: 'TLSv1.2' }),
    connectTimeoutMs,
  };
  let isOpen = true;
  let inFlight = 0;
  let waiting = 0;
  let allDone: (() => void) | null = null;

  async function send(request: OutboundRequest): Promise<SendResult> {
    if (!isOpen) throw new Error('the agent is closed');
    inFlight++;
    try {
      return await attempt(request, monotonicMs());
    } finally {
      inFlight--;
      if (inFlight === 0) allDone?.();
    }
  }

  async function attempt(request: OutboundRequest, startedAtMs: number): Promise<SendResult> {
    const deadlineAtMs = startedAtMs + request.deadlineMs;
    const origin = connections.origin(request.target.origin);
    for (let mayBeStale = true; ; mayBeStale = false) {
      const idle = mayBeStale ? connections.takeIdle(origin) : null;
      const acquired = idle ?? (await acquire(origin, request.target, deadlineAtMs));
      const nowMs = monotonicMs();
      if (!(acquired instanceof Connection)) {
        return failed(acquired, false, null, timingOf(startedAtMs, nowMs, null, false));
      }
      const reused = acquired.hasServed;
      const connectMs = reused ? null : nowMs - startedAtMs;
      const maxBytes = request.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES;
      const exchanged = await acquired.exchange(request, maxBytes, Math.max(1, deadlineAtMs - nowMs));
      release(origin, acquired);
      if (mayBeStale && reused && isUnsentOnStale(exchanged)) {
        onEvent?.({ kind: 'stale_connection_retried' });
        continue;
      }
      const timing = timingOf(startedAtMs, monotonicMs(), connectMs, reused);
      return toResult(exchanged, acquired.endedByReceiver, timing);
    }
  }

  async function acquire(origin: Origin, target: Target, deadlineAtMs: number): Promise<Acquired> {
    // Who comes now stands behind who waits already.
    let queue: Set<() => void> | 'taken' =
      origin.waiting.size > 0 ? origin.waiting : connections.takePlace(origin);
    while (queue !== 'taken') {
      if (waiting >= maxWaiting) return NO_CONNECTION;
      waiting++;
      const isMyTurn = await waitForTurn(queue, deadlineAtMs - monotonicMs());
      waiting--;
      if (!isMyTurn) return { ...NO_CONNECTION, failure: 'timeout' };
      const idle = connections.takeIdle(origin);
      if (idle !== null) return idle;
      queue = connections.takePlace(origin);
    }
    return openConnection(origin, target, deadlineAtMs);
  }

  async function openConnection(origin: Origin, target: Target, deadlineAtMs: number): Promise<Acquired> {
    const startedAtMs = monotonicMs();
    const verdict = policy.judgeTarget(target);
    const dialled = verdict.allowed
      ? await dial(target, dialOptions, Math.max(1, deadlineAtMs - startedAtMs))
      : ({
          ok: false,
          failure: 'blocked',
          detail: CONNECTION_REFUSED,
          operatorDetail: verdict.detail,
        } as const);
    if (!dialled.ok) {
      connections.freePlace(origin, null);
      onEvent?.({ kind: 'connection_refused', failure: dialled.failure });
      return dialled;
    }
    const nowMs = monotonicMs();
    onEvent?.({ kind: 'connection_opened', ms: nowMs - startedAtMs });
    return new Connection(target.origin, dialled.socket, nowMs, connectionOptions, (connection) => {
      connections.freePlace(origin, connection);
      onEvent?.({ kind: 'connection_closed' });
    });
  }

  function release(origin: Origin, connection: Connection): void {
    const isYoung = monotonicMs() - connection.openedAtMs < maxConnectionAgeMs;
    if (isOpen && isYoung && connection.isUsable) connections.putIdle(origin, connection);
    else connection.close();
  }

  function stats(): AgentStats {
    const { origins, open, idle } = connections.counts;
    return {
      origins,
      openConnections: open,
      idleConnections: idle,
      waitingRequests: waiting,
      requestsInFlight: inFlight,
      evictedOrigins: connections.evictedOrigins,
    };
  }

  let closing: Promise<void> | null = null;
  function close(): Promise<void> {
    isOpen = false;
    connections.closeAllIdle();
    closing ??= new Promise((resolve) => {
      if (inFlight === 0) resolve();
      else allDone = resolve;
    });
    return closing;
  }

  return { send, stats, close };
}

const NO_CONNECTION: DialFailure = {
  failure: 'connect',
  detail: 'no connection became free',
  operatorDetail: 'the limits on connections to this origin or in all are reached',
};

function isUnsentOnStale(exchanged: Exchanged): boolean {
  return exchanged.kind === 'error' && !exchanged.sent && exchanged.error instanceof StaleConnection;
}

function toResult(exchanged: Exchanged, endedByReceiver: boolean, timing: SendTiming): SendResult {
  switch (exchanged.kind) {
    case 'response': {
      const { status, headers, body, truncated } = exchanged;
      const retryAfter = headers['retry-after'];
      return {
        kind: 'response',
        status,
        headers,
        body,
        truncated,
        ...(typeof retryAfter === 'string' ? { retryAfter } : {}),
        timing,
      };
    }
    case 'timeout':
      return failed(DEADLINE_PASSED, exchanged.sent, exchanged.status, timing);
    case 'bad_status':
      return failed({ ...BAD_STATUS, operatorDetail: `status ${exchanged.received}` }, true, null, timing);
    case 'error':
      return failed(
        classifyError(exchanged.error, endedByReceiver),
        exchanged.sent,
        exchanged.status,
        timing,
      );
    default:
      return exchanged satisfies never;
  }
}

const DEADLINE_PASSED: DialFailure = {
  failure: 'timeout',
  detail: 'no complete response within the deadline',
  operatorDetail: 'deadline',
};
const BAD_STATUS = { failure: 'protocol', detail: 'the response has no valid status' } as const;

function failed(
  why: DialFailure,
  sentAnyBytes: boolean,
  status: number | null,
  timing: SendTiming,
): FailedSend {
  const { failure, detail, operatorDetail } = why;
  const known = { kind: 'failure', failure, detail, operatorDetail, sentAnyBytes, timing } as const;
  return status === null ? known : { ...known, status };
}

function timingOf(
  startMs: number,
  endMs: number,
  connectMs: number | null,
  reusedConnection: boolean,
): SendTiming {
  return { totalMs: endMs - startMs, connectMs, reusedConnection };
}
