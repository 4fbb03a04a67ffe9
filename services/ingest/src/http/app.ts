import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { JournalEntry, Tier } from '@posthorn/contracts';
import type { HealthCheck } from '@posthorn/runtime';
import type { EventCatalogue, TenantConfigs } from '@posthorn/tenant-config';
import Fastify from 'fastify';
import type { AcceptParts } from '../accept/accept-event.ts';
import { actWithin } from '../access/act-within.ts';
import { refuseActorName } from '../access/actor.ts';
import type { Keys } from '../access/auth.ts';
import type { TenantLookups } from '../access/authorise.ts';
import type { Caller } from '../access/caller.ts';
import { refuseAccess } from '../access/refuse-access.ts';
import type { PayloadChecks } from '../check-payload/payload-checks.ts';
import type { IngestMetrics } from '../metrics.ts';
import { analyticsRoutes } from '../resources/analytics/routes.ts';
import { attemptRoutes } from '../resources/attempts/routes.ts';
import { auditRoutes } from '../resources/audit-log/routes.ts';
import { cancelRoutes } from '../resources/cancellations/routes.ts';
import { deadLetterRoutes } from '../resources/dead-letters/routes.ts';
import { deliveryRoutes } from '../resources/deliveries/routes.ts';
import { eventTypeRoutes } from '../resources/event-types/routes.ts';
import { expungeRoutes, type KeptInKafka } from '../resources/events/expunge.ts';
import { eventRoutes } from '../resources/events/routes.ts';
import { jobRoutes } from '../resources/jobs/routes.ts';
import { startJobRoutes } from '../resources/jobs/start-routes.ts';
import { keyRoutes } from '../resources/keys/routes.ts';
import { laneRoutes } from '../resources/lanes/routes.ts';
import { planRoutes } from '../resources/plans/routes.ts';
import { type PortalTokenParts, portalTokenRoutes } from '../resources/portal-tokens/routes.ts';
import { quotaRoutes } from '../resources/quotas/routes.ts';
import { setAsideRoutes } from '../resources/set-aside/routes.ts';
import { systemWebhookRoutes } from '../resources/system-webhooks/routes.ts';
import { tenantRoutes } from '../resources/tenants/routes.ts';
import { type WebhookParts, webhookRoutes } from '../resources/webhooks/routes.ts';
import type { Store } from '../store.ts';
import { allowOrigins } from './allow-origins.ts';
import { answerErrors, answerExpectation, answerUnparsable } from './answer-errors.ts';
import { nameAnswer, nameAnswers } from './answer-headers.ts';
import { boundConnections } from './bound-connections.ts';
import { holdShares, MAX_BODY_BYTES, meterBodies, refuseCodings, shedLoad } from './bound-requests.ts';
import { healthRoutes } from './health.ts';
import { lineOf, observeRequests } from './observe-requests.ts';
import { assembleDocument, type ServedOperation } from './openapi/assemble.ts';
import { OPERATIONAL_EVENTS } from './openapi/operational-events.ts';
import { documentRoutes } from './openapi/serve.ts';
import { isProblem, problem, sendProblem } from './problem.ts';
import { readJsonBody } from './read-json.ts';
import { refuseAmbiguous } from './refuse-ambiguous.ts';
import { refuseLoops } from './refuse-loops.ts';
import type { LoadShedder } from './shed-load.ts';
import { checkingSerializer, plainSerializer, validatorCompiler } from './validation.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any handler of a route that needs a key. */
    caller: Caller;
  }
}

/** What the routes work with; `createApp` reads no configuration and opens nothing. */
export interface AppParts extends AcceptParts, WebhookParts, PortalTokenParts {
  readonly keys: Keys;
  readonly store: Store;
  readonly tenants: TenantLookups & Pick<TenantConfigs, 'whenApplied'>;
  readonly catalogue: Pick<EventCatalogue, 'find' | 'loaded' | 'poll'>;
  readonly payloadChecks: Pick<PayloadChecks, 'check' | 'inspect'>;
  readonly shedder: LoadShedder;
  readonly checks: readonly HealthCheck[];
  readonly isReady: () => boolean;
  readonly ingestMetrics: IngestMetrics;
  readonly reportDatabaseDown: () => void;
  readonly replayTopic: string;
  /** Under it records in `replay` are signed, so that the dispatcher knows them for ours. */
  readonly macKey: Buffer;
  /** Resolves once the entry is acknowledged. @throws JournalError */
  readonly journal: (entry: JournalEntry) => Promise<void>;
  readonly journalPartitions: number;
  /** Partitions of `deliveries`: new tenants are pinned to one of them. */
  readonly lanes: number;
  readonly tiers: readonly Tier[];
  /** Topics that hold payloads. */
  readonly keptInKafka: readonly KeptInKafka[];
  readonly maxConnections: number;
  /** Addresses and blocks whose `X-Forwarded-For` is believed; none where it is left out. */
  readonly trustedProxies?: readonly string[];
  /** What this system calls itself in `cdn-loop`. */
  readonly loopName: string;
  /** Origins whose pages may call the API from a browser; none where it is left out. */
  readonly allowedOrigins?: readonly string[];
  /** How long a request may take to arrive: for tests, which have no time to wait for the real ones. */
  readonly arrival?: ArrivalTimes;
  /** Holds every answer to the schema that documents it: for tests, in which one that differs is a 500. */
  readonly checkAnswers?: boolean;
}

const MAX_HEADER_BYTES = 16 * 1024;
interface ArrivalTimes {
  readonly headersMs: number;
  readonly requestMs: number;
  /** Between two looks at who is late. */
  readonly checkMs: number;
}
const ARRIVAL: ArrivalTimes = { headersMs: 10_000, requestMs: 15_000, checkMs: 2_000 };
const IDLE_CONNECTION_MS = 72_000;
/** A client that takes nothing of its answer for so long is let go; longer than any answer takes to come. */
const STALLED_CONNECTION_MS = 60_000;

export type App = ReturnType<typeof openApp>;

type OpenParts = Pick<AppParts, 'log' | 'trustedProxies' | 'arrival'>;

/** Every limit that Fastify and Node leave open by default is set here. */
function openApp({ log, trustedProxies = [], arrival = ARRIVAL }: OpenParts) {
  const app = Fastify({
    logger: false,
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: arrival.requestMs,
    connectionTimeout: STALLED_CONNECTION_MS,
    keepAliveTimeout: IDLE_CONNECTION_MS,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: arrival.headersMs,
      connectionsCheckingInterval: arrival.checkMs,
    },
    routerOptions: { maxParamLength: 256 },
    requestIdHeader: false,
    genReqId: nextRequestId,
    clientErrorHandler: answerUnparsable,
    frameworkErrors: (error, request, reply) => {
      void sendProblem(nameAnswer(reply), problem('malformed_request', error.message.slice(0, 200)));
      // It is not routed, so no hook sees it.
      log.info(lineOf(request, reply, 'unmatched'), 'request answered');
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
  return app.setValidatorCompiler(validatorCompiler);
}

let requestCount = 0;
const processId = Math.random().toString(36).slice(2, 8);
function nextRequestId(): string {
  requestCount += 1;
  return `req_${processId}${requestCount.toString(36)}`;
}

export interface Api {
  readonly app: App;
  /** What is served under `/v1`, in the order of its registration; complete once the app is ready. */
  readonly operations: () => readonly ServedOperation[];
  readonly document: () => object;
}

export const createApp = (parts: AppParts): App => createApi(parts).app;

export function createApi(parts: AppParts): Api {
  const app = openApp(parts);
  const collected = collectOperations(app);
  const operations = (): ServedOperation[] => [...collected.values()];
  const document = (): object => assembleDocument(operations(), OPERATIONAL_EVENTS);
  app.setSerializerCompiler(parts.checkAnswers ? checkingSerializer : plainSerializer);
  app.decorateRequest('caller', null as never);
  app.decorateRequest('hold', null as never);
  boundConnections(app.server, parts);
  app.server.on('checkExpectation', answerExpectation);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, readJsonBody);
  closeConnectionsOnStop(app);
  nameAnswers(app);
  allowOrigins(app, parts);
  app.addHook('onRequest', (request, reply, done) => {
    const refused = refuseAmbiguous(request.raw);
    if (refused) sendProblem(reply, refused);
    else done();
  });
  refuseLoops(app, parts.loopName);
  answerErrors(app, parts);
  observeRequests(app, parts);
  void app.register(async (scope) => {
    healthRoutes(scope as App, parts);
    documentRoutes(scope as App, document);
  });
  for (const prefix of ['/v1', '']) {
    void app.register(async (scope) => apiRoutes(scope as App, parts), { prefix });
  }
  return { app, operations, document };
}

/** Once each: under `/v1`, or at the only path that it has. */
function collectOperations(app: App): ReadonlyMap<string, ServedOperation> {
  const operations = new Map<string, ServedOperation>();
  app.addHook('onRoute', ({ url, method, config }) => {
    const declared = config?.operation;
    if (declared === undefined || method === 'HEAD') return;
    const path = url.replace(/^\/v1(?=\/)/, '');
    operations.set(declared.id, { method: String(method), path, operation: declared });
  });
  return operations;
}

/** Node closes idle connections when a server stops; those with a request under way are told to end with it. */
function closeConnectionsOnStop(app: App): void {
  let stopping = false;
  app.addHook('preClose', (done) => {
    stopping = true;
    done();
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (stopping) reply.header('connection', 'close');
    done(null, payload);
  });
}

function apiRoutes(app: App, parts: AppParts): void {
  shedLoad(app, parts);
  requireKey(app, parts.keys);
  holdShares(app, parts);
  requireAccess(app);
  refuseCodings(app);
  meterBodies(app);
  actAsCaller(app);
  tenantRoutes(app, parts);
  laneRoutes(app, parts);
  webhookRoutes(app, parts);
  systemWebhookRoutes(app, parts);
  planRoutes(app, parts);
  quotaRoutes(app, parts);
  deliveryRoutes(app, parts);
  attemptRoutes(app, parts);
  analyticsRoutes(app, parts);
  deadLetterRoutes(app, parts);
  startJobRoutes(app, parts);
  jobRoutes(app, parts);
  cancelRoutes(app, parts);
  keyRoutes(app, parts);
  portalTokenRoutes(app, parts);
  auditRoutes(app, parts);
  setAsideRoutes(app, parts);
  eventRoutes(app, parts);
  expungeRoutes(app, parts);
  eventTypeRoutes(app, parts);
}

function requireKey(app: App, keys: Keys): void {
  app.addHook('onRequest', (request, reply, done) => {
    const settle = (found: Awaited<ReturnType<Keys['authenticate']>>): void => {
      const refused = isProblem(found) ? found : refuseActorName(request.headers['x-actor']);
      if (refused) return void sendProblem(reply, refused);
      request.caller = found as Caller;
      done();
    };
    const found = keys.authenticate(request.headers.authorization);
    if (found instanceof Promise) found.then(settle, done);
    else settle(found);
  });
}

/** The scope and the kind of caller that the operation is for. A route that says nothing of it is not served. */
function requireAccess(app: App): void {
  app.addHook('onRoute', ({ method, url, config }) => {
    if (!config?.operation?.access) throw new Error(`${method} ${url} declares no access`);
  });
  app.addHook('onRequest', (request, reply, done) => {
    const refused = refuseAccess(request.caller, request.routeOptions.config.operation!.access!);
    if (refused) sendProblem(reply, refused);
    else done();
  });
}

/** Once the body is there: the stream that brings it knows nothing of the request. */
function actAsCaller(app: App): void {
  app.addHook('preHandler', (request, _reply, done) => actWithin(request.caller.tenantId, done));
}
