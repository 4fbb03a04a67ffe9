import type { SendResult } from '@posthorn/egress';
import { describe, expect, test } from 'vitest';
import { makeTiming } from '../../test/factories.ts';
import { needlesOf, scrubResponse } from './scrub-response.ts';

const SECRET = 'hunter2"hunter2';

function scrub(body: string | Buffer, over: object = {}, secrets: readonly string[] = [SECRET]) {
  const sent: SendResult = {
    kind: 'response',
    status: 200,
    headers: {},
    body: Buffer.from(body as string),
    truncated: false,
    timing: makeTiming(1),
    ...over,
  };
  const scrubbed = scrubResponse(sent, needlesOf(secrets));
  if (scrubbed.kind !== 'response') throw new Error(scrubbed.kind);
  return { ...scrubbed, text: scrubbed.body.toString(), same: scrubbed.body === sent.body };
}

describe('an answer that repeats what it was sent', () => {
  test('has its secrets taken out, as they are and as they stand in JSON', () => {
    expect(scrub(`a ${SECRET} b ${SECRET}`).text).toBe('a [redacted] b [redacted]');
    expect(scrub(JSON.stringify({ authorization: `Bearer ${SECRET}` })).text).toBe(
      '{"authorization":"Bearer [redacted]"}',
    );
    expect(scrub('pässwörter', {}, ['pässwörter']).text).toBe('[redacted]');
  });

  test('has them taken out of its headers too', () => {
    const headers = { 'x-echo': `is ${SECRET}`, 'x-two': [SECRET, 'a'], 'x-a': 'b' };
    expect({ ...scrub('', { headers }).headers }).toEqual({
      'x-echo': 'is [redacted]',
      'x-two': ['[redacted]', 'a'],
      'x-a': 'b',
    });
  });

  test('has the begin of one taken out where the rest was not read', () => {
    expect(scrub(`echo: ${SECRET.slice(0, -1)}`, { truncated: true }).text).toBe('echo: [redacted]');
    expect(scrub(`echo: ${SECRET.slice(0, -1)}`).text).toContain('hunter2');
  });

  test('keeps every other byte', () => {
    const bytes = Buffer.concat([Buffer.from([0, 255, 128]), Buffer.from(SECRET), Buffer.from([0xc3, 0x28])]);
    expect(scrub(bytes).body).toEqual(
      Buffer.concat([Buffer.from([0, 255, 128]), Buffer.from('[redacted]'), Buffer.from([0xc3, 0x28])]),
    );
    expect(scrub('nothing of it').same).toBe(true);
    expect(scrub('a short one: abc', {}, ['abc']).text).toBe('a short one: abc');
  });
});
