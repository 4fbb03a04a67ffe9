import { randomFillSync } from 'node:crypto';
import {
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';

/**
 * Tracing: W3C `traceparent` (Trace Context, level 1) travels in request and record headers whether or not spans are
 * exported. A hop whose trace is not sampled costs a string; a sampled one makes a span through the OpenTelemetry SDK,
 * which is loaded only when an exporter is configured.
 */
export interface Tracing {
  /** Starts a trace, or continues the caller's when `traceparent` is a valid one. */
  begin(traceparent: string | undefined): string;
  hop(name: string, traceparent: string, attributes?: Record<string, string | number>): Hop;
  stop(): Promise<void>;
}

export interface Hop {
  /** What the next hop is given as its parent. */
  readonly traceparent: string;
  end(error?: string): void;
}

export interface TracingOptions {
  readonly service: string;
  /** OTLP over HTTP, or `off`. */
  readonly otlpEndpoint: string;
  readonly samplePercent: number;
  /** In [0, 1); decides whether a trace that starts here is sampled. */
  readonly random?: () => number;
}

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Version 00 of the header, with ids that are not all zeros (Trace Context, section 3.2). */
export const isTraceparent = (text: string): boolean => TRACEPARENT.test(text);
/** The 32 hex digits of the trace; empty for a `traceparent` that is. */
export const traceIdOf = (traceparent: string): string => traceparent.slice(3, 35);
const isSampled = (traceparent: string): boolean => (Number.parseInt(traceparent.slice(53), 16) & 1) === 1;

const ID_BYTES = 24;
const idPool = Buffer.alloc(ID_BYTES * 256);
let idsUsed = idPool.length;

/** A trace id and a span id in hex. Drawn in bulk: a call to the generator for each event showed in profiles of ingest. */
function takeIds(): string {
  if (idsUsed === idPool.length) {
    randomFillSync(idPool);
    idsUsed = 0;
  }
  idsUsed += ID_BYTES;
  return idPool.toString('hex', idsUsed - ID_BYTES, idsUsed);
}

/** Loads the SDK and an exporter unless `otlpEndpoint` is `off`. */
export async function startTracing(options: TracingOptions): Promise<Tracing> {
  const exporter =
    options.otlpEndpoint === 'off' ? null : await startSdk(options.service, options.otlpEndpoint);
  return createTracing(exporter ? trace.getTracer('posthorn') : null, options, async () =>
    exporter?.shutdown(),
  );
}

/** The rules of propagation around any tracer; null records nothing and passes `traceparent` on. */
export function createTracing(
  tracer: Tracer | null,
  options: Pick<TracingOptions, 'samplePercent' | 'random'>,
  stop: () => Promise<void> = async () => undefined,
): Tracing {
  const random = options.random ?? Math.random;
  return {
    begin(traceparent) {
      if (traceparent !== undefined && isTraceparent(traceparent)) return traceparent;
      const ids = takeIds();
      const sampled = tracer !== null && random() * 100 < options.samplePercent;
      return `00-${ids.slice(0, 32)}-${ids.slice(32)}-${sampled ? '01' : '00'}`;
    },
    hop(name, traceparent, attributes) {
      if (tracer === null || !isTraceparent(traceparent) || !isSampled(traceparent))
        return passingHop(traceparent);
      return recordedHop(tracer, name, traceparent, attributes);
    },
    stop,
  };
}

function passingHop(traceparent: string): Hop {
  return { traceparent, end: () => undefined };
}

function recordedHop(
  tracer: Tracer,
  name: string,
  traceparent: string,
  attributes: Record<string, string | number> = {},
): Hop {
  const parent = trace.setSpanContext(context.active(), {
    traceId: traceIdOf(traceparent),
    spanId: traceparent.slice(36, 52),
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  });
  const span: Span = tracer.startSpan(name, { kind: SpanKind.INTERNAL, attributes }, parent);
  const { traceId, spanId } = span.spanContext();
  return {
    traceparent: `00-${traceId}-${spanId}-01`,
    end(error) {
      if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
      span.end();
    },
  };
}

async function startSdk(service: string, endpoint: string) {
  const [{ NodeSDK }, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/sdk-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ]);
  const sdk = new NodeSDK({
    serviceName: `posthorn-${service}`,
    traceExporter: new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` }),
    instrumentations: [],
  });
  sdk.start();
  return sdk;
}
