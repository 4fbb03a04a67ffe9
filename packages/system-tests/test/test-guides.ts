import { type Receiver, startReceiver } from '@posthorn/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { differences, runGuide, type System } from '../src/index.ts';

/** The pages whose shell blocks anybody may paste, over a system that runs already: starting one takes seconds. */
export function testGuides(system: () => System): void {
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await startReceiver();
  });
  afterAll(() => receiver?.close());

  /** Runs a page as it is printed; what it shows is what it prints. */
  async function follow(page: string): Promise<void> {
    const blocks = await runGuide(page, {
      POSTHORN: system().url,
      KEY: system().operatorKey,
      RECEIVER: receiver.url(''),
    });
    expect(blocks.flatMap(differences)).toEqual([]);
  }

  test.concurrent('an event that is sent again is one, as it is printed', async () => {
    await follow('guides/idempotency.md');
  });

  test.concurrent('the catalogue holds events to their schemas, as it is printed', async () => {
    await follow('events.md');
  });

  test.concurrent('events in every form arrive as they were sent, as it is printed', async () => {
    await follow('guides/events.md');
    const arrivals = await receiver.waitForCount(9, '/forms');
    const bodies = arrivals.map(({ headers, body }) =>
      [headers['content-type'], body.toString('latin1')].join(': '),
    );
    expect(bodies.sort()).toEqual([
      'application/json: 1',
      'application/json: 2',
      'application/json: 3',
      'application/json: { "n": 1 }',
      'application/json: { "pages": 3 }',
      'application/json: { "pages": 3, "id": 12345678901234567890 }',
      'image/png: \x89PNG\r\n\x1a\n',
      'text/csv: sku;count\nA-1;3\n',
      'text/csv: sku;count\nA-1;3\n',
    ]);
  });

  test.concurrent('the integration of a platform with many customers works as it is printed', async () => {
    await follow('guides/multi-tenant.md');
    const paths = receiver.arrivals().map(({ path }) => path);
    for (const path of ['/project', '/group', '/all', '/system']) expect(paths).toContain(path);
    const tenantOf = (path: string) =>
      receiver.arrivals().find((arrival) => arrival.path === path)!.headers['x-webhook-tenant-id'];
    expect([tenantOf('/system'), tenantOf('/all')]).toEqual(['forge-acme', undefined]);
  });
}
