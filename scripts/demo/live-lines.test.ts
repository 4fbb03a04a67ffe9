import { expect, it } from 'vitest';
import { describe } from './live-lines.ts';

const names = new Map([['ep_1', 'shaky']]);

it('shows what was accepted, delivered, put off and given up', () => {
  const line = { event_id: 'evt_0123456789', webhook_id: 'ep_1', attempt: 2, duration_ms: 4 };
  const lines = [
    { ...line, msg: 'event accepted', event_type: 'order.created' },
    { ...line, msg: 'delivery succeeded', status: 200 },
    { ...line, msg: 'delivery retrying', status: 503, next_due_at: '2026-11-22T12:00:01.250Z' },
    { ...line, msg: 'delivery dead-lettered', status: null, error: 'connection refused', attempts: 3 },
  ];
  expect(lines.map((each) => describe(each, names)?.text)).toEqual([
    'event …456789 order.created',
    'event …456789 to shaky: 200 in 4 ms',
    'event …456789 to shaky: 503, attempt 2; next at 12:00:01.2',
    'event …456789 to shaky: connection refused after 3 attempts',
  ]);
});

it('keeps to itself what is not about an event', () => {
  expect(describe({ msg: 'service started' }, names)).toBeUndefined();
});
