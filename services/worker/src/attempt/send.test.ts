import type { FailedSend, OutboundRequest } from '@posthorn/egress';
import { createLogger } from '@posthorn/runtime';
import { expect, test } from 'vitest';
import { makeTiming, NOW } from '../../test/factories.ts';
import { classify } from './classify.ts';
import { createSendRequest } from './send.ts';

const FAILED = {
  kind: 'failure',
  detail: 'connection refused',
  sentAnyBytes: false,
  timing: makeTiming(12),
} as const;
const BLOCKED: FailedSend = { ...FAILED, failure: 'blocked', operatorDetail: '10.0.0.1 is private' };
const AT_PROXY: FailedSend = {
  ...FAILED,
  failure: 'connect',
  operatorDetail: 'the proxy answered 407',
  atProxy: true,
};

test.each([
  ['why an address is blocked', 'warn', BLOCKED],
  ['what the proxy said', 'info', AT_PROXY],
])('%s is told to operators, and to tenants a refused connection', async (_what, level, failed) => {
  const lines: object[] = [];
  const log = createLogger('worker', 'info', { write: (line: string) => void lines.push(JSON.parse(line)) });
  const send = createSendRequest({ send: async () => failed }, log);
  const sent = await send({ target: { origin: 'http://x' } } as OutboundRequest);
  expect(lines).toMatchObject([{ level, origin: 'http://x', reason: failed.operatorDetail }]);
  if (sent.kind === 'withheld') throw new Error('withheld');
  expect(classify(sent, NOW)).toEqual({
    kind: 'failure',
    failure: 'connect',
    status: null,
    detail: 'connection refused',
    retryAfterMs: null,
  });
});
