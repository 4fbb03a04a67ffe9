import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { FREE_PORTS, freePort, isPortFree } from '../src/index.ts';

test('ports are free, never given twice, and none that an outgoing connection could take', async () => {
  const ports = await Promise.all(Array.from({ length: 50 }, () => freePort()));
  expect(new Set(ports).size).toBe(50);
  for (const port of ports) {
    expect(port).toBeGreaterThanOrEqual(FREE_PORTS.from);
    expect(port).toBeLessThan(32_768);
  }
  expect(await isPortFree(ports[0]!)).toBe(true);
});

test('a port that somebody listens on is not free', async () => {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  expect(await isPortFree(port)).toBe(false);
  await new Promise((resolve) => server.close(resolve));
});
