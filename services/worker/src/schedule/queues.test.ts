import { expect, test } from 'vitest';
import { MAX_IDLE_ENDPOINTS, Queues } from './queues.ts';

test('endpoints with nothing under way are forgotten beyond a bound, the least recently used first', () => {
  const queues = new Queues();
  const use = (tenantId: string) => {
    const endpoint = queues.endpointOf(queues.tenantOf(0, tenantId), 'e');
    queues.opened(endpoint);
    return () => queues.closed(endpoint);
  };
  const busy = use('busy');
  for (let i = 0; i < MAX_IDLE_ENDPOINTS; i++) use(`t${i}`)();
  use('t0')();
  use('one more')();
  expect(['busy', 't0', 't1', 't2'].map((tenantId) => queues.find(0, tenantId) !== undefined)).toEqual([
    true,
    true,
    false,
    true,
  ]);
  busy();
  expect(queues.find(0, 't2')).toBeUndefined();
});
