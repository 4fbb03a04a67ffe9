import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App, AppParts } from './app.ts';
import { createMeter } from './meter-body.ts';
import { problem, retryAfter, sendProblem } from './problem.ts';
import type { TenantRequest } from './shed-load.ts';

/** Of a path that says nothing else. */
export const MAX_BODY_BYTES = 64 * 1024;
/** A body whose length is said, and is that of a small request, cannot come in too many pieces. */
const UNMETERED_BYTES = 64 * 1024;

/** What a request holds of the bounds, and in whose share. */
interface Hold extends TenantRequest {
  tenantId: string | null;
  isOver: boolean;
}

declare module 'fastify' {
  interface FastifyRequest {
    hold: Hold;
  }
}

type ShedParts = Pick<AppParts, 'shedder' | 'ingestMetrics'>;

export function shedLoad(app: App, { shedder, ingestMetrics }: ShedParts): void {
  app.addHook('onRequest', (request, reply, done) => {
    const isManaging = request.routeOptions.config.operation?.access?.scope !== 'ingest';
    const hold: Hold = { bytes: heldBytes(request), isManaging, tenantId: null, isOver: false };
    if (!shedder.enter(hold.bytes)) return turnAway(reply, ingestMetrics);
    request.hold = hold;
    // 'close' comes exactly once, also when the client goes away before it has its answer.
    reply.raw.once('close', () => {
      hold.isOver = true;
      shedder.leave(hold.bytes);
      if (hold.tenantId !== null) shedder.leaveFor(hold.tenantId, hold);
    });
    done();
  });
}

/** Once it is known who asks: an operator acts for all. */
export function holdShares(app: App, { shedder, ingestMetrics }: ShedParts): void {
  app.addHook('onRequest', ({ caller, hold }, reply, done) => {
    const { tenantId } = caller;
    // The client may have gone away while its key was looked up: nothing would give the share back.
    if (tenantId === null || hold.isOver) return done();
    if (!shedder.enterFor(tenantId, hold)) return turnAway(reply, ingestMetrics);
    hold.tenantId = tenantId;
    done();
  });
}

function turnAway(reply: FastifyReply, ingestMetrics: AppParts['ingestMetrics']): void {
  ingestMetrics.countShed();
  sendProblem(reply, problem('overloaded', 'try again', retryAfter(1)));
}

const heldBytes = (request: FastifyRequest): number =>
  Math.min(declaredBytes(request), request.routeOptions.bodyLimit ?? MAX_BODY_BYTES);

/** A body that comes in chunks without a length is counted as large as it may be. */
function declaredBytes({ headers }: FastifyRequest): number {
  if (headers['transfer-encoding'] !== undefined) return Number.POSITIVE_INFINITY;
  return Number(headers['content-length'] ?? 0) || 0;
}

/** Bodies are taken as they are: what a coding makes of them is neither what is read here nor what receivers get. */
export function refuseCodings(app: App): void {
  app.addHook('onRequest', ({ headers }, reply, done) => {
    const coding = headers['content-encoding'];
    if (coding === undefined || coding.trim().toLowerCase() === 'identity') done();
    else sendProblem(reply, CODED);
  });
}

const CODED = problem('unsupported_media_type', 'send the body without a content-encoding');

export function meterBodies(app: App): void {
  app.addHook('preParsing', (request, reply, payload, done) => {
    if (declaredBytes(request) <= UNMETERED_BYTES) return done(null, payload);
    const meter = createMeter();
    // What is left of a body that was given up is not read.
    meter.once('error', () => reply.header('connection', 'close'));
    payload.once('error', (error) => meter.destroy(error));
    payload.once('close', () => payload.readableEnded || meter.destroy(new Error('the body broke off')));
    done(null, payload.pipe(meter));
  });
}
