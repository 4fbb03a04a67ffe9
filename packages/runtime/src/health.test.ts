import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import {
  type HealthCheck,
  MAX_ADMIN_CONNECTIONS,
  MAX_ADMIN_HEADER_BYTES,
  reportHealth,
  startAdminServer,
} from './health.ts';
import { createMetrics } from './metrics.ts';

const check = (name: string, required: boolean, isUp: HealthCheck['isUp']): HealthCheck => ({
  name,
  required,
  isUp,
});

test('a required component that is down is down; one that is not required degrades', async () => {
  const up = check('kafka', true, () => true);
  const without = await reportHealth([up, check('postgres', false, () => false)]);
  expect(without).toEqual({ status: 'degraded', components: { kafka: 'up', postgres: 'down' } });
  expect(
    (await reportHealth([check('kafka', true, () => false), check('x', false, () => false)])).status,
  ).toBe('down');
  expect((await reportHealth([up])).status).toBe('ok');
});

test('a check that throws is down', async () => {
  const report = await reportHealth([check('kafka', true, () => Promise.reject(new Error('away')))]);
  expect(report.status).toBe('down');
});

async function setup(isUp: boolean, ready = true) {
  const metrics = createMetrics('test');
  metrics.counter('posthorn_things_total', 'Things.').inc();
  const checks = [check('kafka', true, () => isUp)];
  const server = await startAdminServer({
    host: '127.0.0.1',
    port: 0,
    metrics,
    checks,
    isReady: () => ready,
  });
  onTestFinished(() => server.stop());
  const ask = async (path: string, method = 'GET', headers: Record<string, string> = {}) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method, headers });
    return { status: response.status, text: await response.text() };
  };
  return Object.assign(ask, { port: server.port });
}

test('the admin server answers for life, readiness, health and metrics', async () => {
  const get = await setup(true);
  expect((await get('/livez')).status).toBe(200);
  expect((await get('/readyz?x=1')).status).toBe(200);
  expect(await get('/health')).toEqual({ status: 200, text: '{"status":"ok","components":{"kafka":"up"}}' });
  expect((await get('/metrics')).text).toContain('posthorn_things_total{service="test"} 1');
  expect((await get('/other')).status).toBe(404);
});

test('the admin server changes nothing: it is read, and nothing is sent to it', async () => {
  const ask = await setup(true);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
    expect(await ask('/metrics', method)).toEqual({ status: 405, text: '' });
  expect(await ask('/livez', 'HEAD')).toEqual({ status: 200, text: '' });
});

test('the admin server bounds the headers of a request, and its connections', async () => {
  const headers = { 'x-long': 'x'.repeat(MAX_ADMIN_HEADER_BYTES) };
  expect((await (await setup(true))('/livez', 'GET', headers)).status).toBe(431);

  const { port } = await setup(true);
  const open = () => {
    const socket = connect(port, '127.0.0.1').resume();
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  const taken = Array.from({ length: MAX_ADMIN_CONNECTIONS }, open);
  await Promise.all(taken.map((socket) => once(socket, 'connect')));
  await new Promise((closed) => open().on('error', closed).on('close', closed));
  expect(taken.filter(({ closed }) => closed)).toEqual([]);
});

test('what is down or not started yet is alive but not ready', async () => {
  const down = await setup(false);
  expect([
    (await down('/readyz')).status,
    (await down('/livez')).status,
    (await down('/health')).status,
  ]).toEqual([503, 200, 200]);
  const starting = await setup(true, false);
  expect((await starting('/readyz')).status).toBe(503);
});

test('a metric that is not named for the product is refused', () => {
  expect(() => createMetrics('test').counter('things_total', 'Things.')).toThrow('things_total');
});
