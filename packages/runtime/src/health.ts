import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Part } from './lifecycle.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

export type ComponentState = 'up' | 'down';

/** One thing a service depends on. `required` false: its absence degrades the service but does not stop it. */
export interface HealthCheck {
  readonly name: string;
  readonly required: boolean;
  /** A check that throws says no. */
  isUp(): boolean | Promise<boolean>;
}

export interface HealthReport {
  readonly status: 'ok' | 'degraded' | 'down';
  readonly components: Readonly<Record<string, ComponentState>>;
}

/** Asks all checks at once. Down when a required one is, else degraded when any is. */
export async function reportHealth(checks: readonly HealthCheck[]): Promise<HealthReport> {
  const states = await Promise.all(checks.map(async (check) => [check, await stateOf(check)] as const));
  const components: Record<string, ComponentState> = {};
  let status: HealthReport['status'] = 'ok';
  for (const [check, state] of states) {
    components[check.name] = state;
    if (state === 'up') continue;
    if (check.required) status = 'down';
    else if (status === 'ok') status = 'degraded';
  }
  return { status, components };
}

async function stateOf(check: HealthCheck): Promise<ComponentState> {
  try {
    return (await check.isUp()) ? 'up' : 'down';
  } catch {
    return 'down';
  }
}

export interface AdminOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly metrics: Metrics;
  readonly checks: readonly HealthCheck[];
  readonly isReady: () => boolean;
}

export interface AdminServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** Asked by probes and one Prometheus, not by users. */
export const MAX_ADMIN_CONNECTIONS = 100;
const REQUEST_TIMEOUT_MS = 10_000;
export const MAX_ADMIN_HEADER_BYTES = 8 * 1024;

const SAFE_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
};

/**
 * Health and metrics on a port of their own, never on the public one: `/livez` (the process turns), `/readyz` (200
 * once started and no required component is down, else 503), `/health` (components; always 200), `/metrics`.
 */
export async function startAdminServer(options: AdminOptions): Promise<AdminServer> {
  const limits = {
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: REQUEST_TIMEOUT_MS,
    maxHeaderSize: MAX_ADMIN_HEADER_BYTES,
  };
  const server = createServer(limits, (request, response) => {
    // It only tells: what a request brings along is not read.
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return void response.writeHead(405, { ...SAFE_HEADERS, allow: 'GET, HEAD', connection: 'close' }).end();
    const path = (request.url ?? '/').split('?')[0];
    answer(path ?? '/', options).then(
      ({ status, type, body }) =>
        response.writeHead(status, { ...SAFE_HEADERS, 'content-type': type }).end(body),
      () => response.writeHead(500).end(),
    );
  });
  server.maxConnections = MAX_ADMIN_CONNECTIONS;
  await listen(server, options.port, options.host);
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** The admin server in a service's list of parts; `port` is undefined before the start. */
export function createAdminPart(
  options: AdminOptions & { readonly log: Logger },
): Part & { readonly port: number | undefined } {
  let server: AdminServer | undefined;
  return {
    name: 'admin server',
    async start() {
      server = await startAdminServer(options);
      options.log.info({ port: server.port }, 'admin server listening');
    },
    stop: () => server?.stop(),
    get port() {
      return server?.port;
    },
  };
}

async function answer(path: string, options: AdminOptions) {
  const json = 'application/json; charset=utf-8';
  if (path === '/livez') return { status: 200, type: json, body: '{"status":"ok"}' };
  if (path === '/metrics') {
    const registry = options.metrics.registry;
    return { status: 200, type: registry.contentType, body: await registry.metrics() };
  }
  if (path !== '/readyz' && path !== '/health')
    return { status: 404, type: json, body: '{"status":"not found"}' };
  const report = await reportHealth(options.checks);
  const ready = options.isReady() && report.status !== 'down';
  return { status: path === '/health' || ready ? 200 : 503, type: json, body: JSON.stringify(report) };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
}
