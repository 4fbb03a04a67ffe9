import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { expect, test } from 'vitest';
import { createTracing, isTraceparent, traceIdOf } from './tracing.ts';

const SAMPLED = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
const UNSAMPLED = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`;

function setup(samplePercent = 100) {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return {
    exporter,
    tracing: createTracing(provider.getTracer('test'), { samplePercent, random: () => 0.5 }),
  };
}

test('a trace without a parent gets a new traceparent, sampled by the share that is set', () => {
  expect(setup(51).tracing.begin(undefined)).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  expect(setup(50).tracing.begin(undefined)).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
});

test('a valid parent is continued, and a malformed one is replaced', () => {
  const { tracing } = setup();
  expect(tracing.begin(SAMPLED)).toBe(SAMPLED);
  for (const bad of [
    '',
    'x',
    `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`,
    `${SAMPLED}\r\nx: y`,
    SAMPLED.toUpperCase(),
  ]) {
    const begun = tracing.begin(bad);
    expect(begun).not.toBe(bad);
    expect(isTraceparent(begun)).toBe(true);
  }
});

test('a sampled hop is a span under its parent, and the next hop is given that span', () => {
  const { exporter, tracing } = setup();
  const first = tracing.hop('accept', SAMPLED, { tenant: 't' });
  const second = tracing.hop('dispatch', first.traceparent);
  second.end('it failed');
  first.end();
  const [dispatch, accept] = exporter.getFinishedSpans();
  expect(accept!.spanContext().traceId).toBe(traceIdOf(SAMPLED));
  expect(accept!.parentSpanContext?.spanId).toBe('b'.repeat(16));
  expect(dispatch!.parentSpanContext?.spanId).toBe(accept!.spanContext().spanId);
  expect(dispatch!.status.message).toBe('it failed');
});

test('a hop that is not sampled records nothing and passes its parent on', () => {
  const { exporter, tracing } = setup();
  const hop = tracing.hop('accept', UNSAMPLED);
  hop.end();
  expect(hop.traceparent).toBe(UNSAMPLED);
  expect(exporter.getFinishedSpans()).toEqual([]);
});

test('without a tracer the traceparent still travels', () => {
  const tracing = createTracing(null, { samplePercent: 100, random: () => 0 });
  const begun = tracing.begin(undefined);
  expect(begun.endsWith('-00')).toBe(true);
  expect(tracing.hop('accept', SAMPLED).traceparent).toBe(SAMPLED);
});
