import { setImmediate } from 'node:timers/promises';
import type { AddressPolicy } from './address-policy.ts';
import { parseTranslator } from './carried-ipv4.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { type Destination, NO_PHASES } from './dial.ts';
import type { DialFailure } from './dial-failure.ts';
import { type Imitated, Refusals } from './imitate-refusal.ts';
import { type Blocked, type Guard, judgeAndDial } from './judge-and-dial.ts';
import { OpenConnections, type Origin } from './open-connections.ts';
import type { DialPhases, OutboundRequest, SendFailure, SendResult } from './outbound.ts';
import type { EgressProxy } from './proxy/parse-proxy-url.ts';
import { createResolver, type Resolver, type ResolverStats } from './resolve.ts';
import { SecureContexts } from './secure-contexts.ts';
import { isUnsentOnStale, toFailure, toResult } from './to-result.ts';
import { waitForTurn } from './wait-for-turn.ts';

export type AgentEvent =
  | { readonly kind: 'connection_opened'; readonly ms: number }
  | { readonly kind: 'connection_refused'; readonly failure: SendFailure; readonly atProxy: boolean }
  | { readonly kind: 'connection_closed' }
  /** By the policy, whatever the tenant is told. */
  | ({ readonly kind: 'blocked' } & Blocked)
  | { readonly kind: 'stale_connection_retried' };

export interface GuardedAgentOptions {
  readonly policy: AddressPolicy;
  readonly resolver?: Resolver;
  /** Certificate authorities (PEM) beside those of Node, for tests and private networks. */
  readonly extraAuthorities?: readonly string[];
  /** The operator's way out. Of an address that was vetted, or, where it resolves names, of a name. */
  readonly proxy?: EgressProxy | undefined;
  /** TLS contexts kept for receivers with an identity of their own, the least recently used forgotten. */
  readonly maxTlsIdentities?: number;
  /** Origins remembered; beyond them the least recently used one's connections are closed. */
  readonly maxOrigins?: number;
  readonly connectionsPerOrigin?: number;
  /** To one address, by whatever names; of IPv6 to one network of 64 bits. */
  readonly connectionsPerAddress?: number;
  /** Requests that wait for one of these: a quarter as many by default, or a slow victim holds up whoever sends. */
  readonly waitingPerAddress?: number;
  /** Behind these, addresses are counted by their IPv4. */
  readonly nat64Prefixes?: readonly string[];
  readonly maxConnections?: number;
  /** Requests that wait for a connection because one of these limits is reached. */
  readonly maxWaiting?: number;
  readonly keepAliveMs?: number;
  /** However busy, a connection is given up at this age, so that a changed DNS entry is noticed. */
  readonly maxConnectionAgeMs?: number;
  /** A connection idle for longer is given one turn of the event loop to show that it was closed. */
  readonly recheckIdleMs?: number;
  readonly connectTimeoutMs?: number;
  readonly maxResponseHeaderBytes?: number;
  /** Names this system in a header of every request (RFC 8586); none without it. */
  readonly loopName?: string;
  readonly random?: () => number;
  readonly monotonicMs?: () => number;
  readonly onEvent?: (event: AgentEvent) => void;
}

export interface AgentStats {
  readonly origins: number;
  readonly openConnections: number;
  readonly maxConnections: number;
  readonly idleConnections: number;
  readonly waitingRequests: number;
  readonly maxWaiting: number;
  readonly requestsInFlight: number;
  /** Addresses to which as many connections are open as may be. */
  readonly fullAddresses: number;
  readonly evictedOrigins: number;
  readonly tlsIdentities: number;
  readonly maxTlsIdentities: number;
  readonly names: ResolverStats;
}

/** Sends requests to receivers nobody trusts. Modes: *open*, then *closing* (what is in flight ends), then *closed*. */
export interface GuardedAgent {
  /** Never rejects for anything a receiver, its network or its DNS does. @throws {Error} once `close` was called. */
  send(request: OutboundRequest): Promise<SendResult>;
  stats(): AgentStats;
  /** Closes idle connections and waits for the requests in flight (their deadlines bound it). Safe twice. */
  close(): Promise<void>;
}

type NotHad = DialFailure & {
  readonly phases: DialPhases;
  readonly crowdedAt?: string;
  readonly imitated?: Imitated;
};
type Acquired = Connection | NotHad;

const WAITING_SHARE = 0.25;
const DEFAULT_MAX_RESPONSE_BYTES = 64 * 1_024;
const NO_CONNECTION: NotHad = {
  phases: NO_PHASES,
  failure: 'connect',
  detail: 'no connection became free',
  operatorDetail: 'the limits on connections to this origin or in all are reached',
};

export function createGuardedAgent(options: GuardedAgentOptions): GuardedAgent {
  return new Agent(options);
}

/** What a client certificate has opened is for whoever has that certificate. */
function poolKey({ target, tls }: OutboundRequest): string {
  return tls === undefined || target.protocol === 'http:' ? target.origin : `${target.origin} ${tls.id}`;
}

class Agent implements GuardedAgent {
  readonly #connections: OpenConnections;
  readonly #connectionOptions: ConnectionOptions;
  readonly #guard: Guard;
  readonly #maxConnectionAgeMs: number;
  readonly #recheckIdleMs: number;
  readonly #maxWaiting: number;
  readonly #monotonicMs: () => number;
  readonly #onEvent: (event: AgentEvent) => void;
  #isOpen = true;
  #inFlight = 0;
  #waiting = 0;
  #whenIdle: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: GuardedAgentOptions) {
    const { connectionsPerAddress = 256 } = options;
    this.#connections = new OpenConnections({
      maxOrigins: options.maxOrigins ?? 10_000,
      connectionsPerOrigin: options.connectionsPerOrigin ?? 128,
      connectionsPerAddress,
      waitingPerAddress: options.waitingPerAddress ?? Math.ceil(connectionsPerAddress * WAITING_SHARE),
      maxConnections: options.maxConnections ?? 4_096,
    });
    this.#connectionOptions = {
      keepAliveMs: options.keepAliveMs ?? 10_000,
      maxResponseHeaderBytes: options.maxResponseHeaderBytes ?? 16_384,
      monotonicMs: options.monotonicMs ?? (() => performance.now()),
      loopName: options.loopName ?? null,
    };
    const dialOptions = {
      resolver: options.resolver ?? createResolver({ policy: options.policy }),
      secureContexts: new SecureContexts(options.extraAuthorities ?? [], options.maxTlsIdentities ?? 100),
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
      places: this.#connections.places,
      translators: (options.nat64Prefixes ?? []).map(parseTranslator),
      proxy: options.proxy ?? null,
    };
    this.#guard = {
      policy: options.policy,
      dialOptions,
      refusals: new Refusals(options.random),
      onBlocked: (blocked) => this.#onEvent({ kind: 'blocked', ...blocked }),
    };
    this.#maxConnectionAgeMs = options.maxConnectionAgeMs ?? 300_000;
    this.#recheckIdleMs = options.recheckIdleMs ?? 1_000;
    this.#maxWaiting = options.maxWaiting ?? 10_000;
    this.#monotonicMs = this.#connectionOptions.monotonicMs;
    this.#onEvent = options.onEvent ?? (() => {});
  }

  async send(request: OutboundRequest): Promise<SendResult> {
    if (!this.#isOpen) throw new Error('the agent is closed');
    this.#inFlight++;
    try {
      return await this.#send(request);
    } finally {
      this.#inFlight--;
      if (this.#inFlight === 0) this.#whenIdle?.();
    }
  }

  async #send(request: OutboundRequest): Promise<SendResult> {
    const startedAtMs = this.#monotonicMs();
    const deadlineAtMs = startedAtMs + request.deadlineMs;
    const maxBytes = request.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES;
    const origin = this.#connections.origin(poolKey(request));
    for (let mayBeStale = true; ; mayBeStale = false) {
      const idle = mayBeStale ? await this.#takeIdle(origin) : null;
      const acquired = idle ?? (await this.#acquire(origin, request, deadlineAtMs));
      const nowMs = this.#monotonicMs();
      const reusedConnection = acquired instanceof Connection && acquired.hasServed;
      const phases = reusedConnection ? NO_PHASES : acquired.phases;
      if (!(acquired instanceof Connection)) {
        const totalMs = nowMs - startedAtMs;
        const failed = toFailure(acquired, { ...phases, firstByteMs: null, totalMs, reusedConnection });
        this.#guard.refusals.learn(acquired, this.#monotonicMs() - startedAtMs);
        return failed;
      }
      const exchanged = await acquired.exchange(request, maxBytes, Math.max(1, deadlineAtMs - nowMs));
      this.#release(origin, acquired);
      if (mayBeStale && reusedConnection && isUnsentOnStale(exchanged)) {
        this.#onEvent({ kind: 'stale_connection_retried' });
        continue;
      }
      const firstByteMs = exchanged.answeredAtMs === null ? null : exchanged.answeredAtMs - nowMs;
      const totalMs = this.#monotonicMs() - startedAtMs;
      const timing = { ...phases, firstByteMs, totalMs, reusedConnection };
      return toResult(exchanged, acquired.endedByReceiver, timing);
    }
  }

  /** undici writes in the turn after this one, without asking the kernel in between whether the receiver has closed. */
  async #takeIdle(origin: Origin): Promise<Connection | null> {
    const idle = this.#connections.takeIdle(origin);
    if (idle !== null && this.#monotonicMs() - idle.idleSinceMs >= this.#recheckIdleMs) await setImmediate();
    return idle?.isUsable ? idle : null;
  }

  async #acquire(origin: Origin, destination: Destination, deadlineAtMs: number): Promise<Acquired> {
    // Who comes now stands behind who waits already.
    let queue = origin.waiting.size > 0 ? origin.waiting : this.#connections.takePlace(origin);
    let crowdedAt: string | undefined;
    try {
      for (;;) {
        if (queue === 'taken') {
          const acquired = await this.#open(origin, destination, deadlineAtMs);
          if (acquired instanceof Connection || acquired.crowdedAt === undefined) return acquired;
          crowdedAt = acquired.crowdedAt;
          const line = this.#connections.places.queue(crowdedAt);
          if (line === null) return acquired;
          queue = line;
        }
        const denied = await this.#wait(queue, deadlineAtMs);
        if (denied !== null) return denied;
        const idle = this.#connections.takeIdle(origin);
        if (idle !== null) return idle;
        queue = this.#connections.takePlace(origin);
      }
    } finally {
      if (crowdedAt !== undefined) this.#connections.places.offer(crowdedAt);
    }
  }

  /** Null when it is the caller's turn. */
  async #wait(queue: Set<() => void>, deadlineAtMs: number): Promise<NotHad | null> {
    if (this.#waiting >= this.#maxWaiting) return NO_CONNECTION;
    this.#waiting++;
    const isMyTurn = await waitForTurn(queue, deadlineAtMs - this.#monotonicMs());
    this.#waiting--;
    return isMyTurn ? null : { ...NO_CONNECTION, failure: 'timeout' };
  }

  /** With a place taken, which is given back unless a connection comes of it. */
  async #open(origin: Origin, destination: Destination, deadlineAtMs: number): Promise<Acquired> {
    const startedAtMs = this.#monotonicMs();
    const dialled = await judgeAndDial(destination, Math.max(1, deadlineAtMs - startedAtMs), this.#guard);
    if (!dialled.ok) {
      this.#connections.freePlace(origin, null);
      if (dialled.crowdedAt === undefined) {
        const { failure, atProxy = false } = dialled;
        this.#onEvent({ kind: 'connection_refused', failure, atProxy });
      }
      return dialled;
    }
    const nowMs = this.#monotonicMs();
    this.#onEvent({ kind: 'connection_opened', ms: nowMs - startedAtMs });
    return new Connection(destination.target.origin, dialled, this.#connectionOptions, (connection) => {
      this.#connections.freePlace(origin, connection);
      this.#onEvent({ kind: 'connection_closed' });
    });
  }

  #release(origin: Origin, connection: Connection): void {
    connection.idleSinceMs = this.#monotonicMs();
    const isYoung = connection.idleSinceMs - connection.openedAtMs < this.#maxConnectionAgeMs;
    if (this.#isOpen && isYoung && connection.isUsable) this.#connections.putIdle(origin, connection);
    else connection.close();
  }

  stats(): AgentStats {
    const { origins, open, idle } = this.#connections.counts;
    return {
      origins,
      openConnections: open,
      maxConnections: this.#connections.limits.maxConnections,
      idleConnections: idle,
      waitingRequests: this.#waiting,
      maxWaiting: this.#maxWaiting,
      requestsInFlight: this.#inFlight,
      fullAddresses: this.#connections.places.full,
      evictedOrigins: this.#connections.evictedOrigins,
      tlsIdentities: this.#guard.dialOptions.secureContexts.size,
      maxTlsIdentities: this.#guard.dialOptions.secureContexts.maxIdentities,
      names: this.#guard.dialOptions.resolver.stats(),
    };
  }

  close(): Promise<void> {
    this.#isOpen = false;
    this.#connections.closeAllIdle();
    this.#closing ??= new Promise((resolve) => {
      if (this.#inFlight === 0) resolve();
      else this.#whenIdle = resolve;
    });
    return this.#closing;
  }
}
