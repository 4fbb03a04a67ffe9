import type { AttemptedEntry } from '@posthorn/contracts';
import { describe, expect, test } from 'vitest';
import { makeMade, makeSlot, NOW } from '../../test/factories.ts';
import { failure } from '../../test/settle-setup.ts';
import { buildAttempted } from './build-entries.ts';
import type { Made } from './made.ts';

function entryOf(over: Partial<Made>): AttemptedEntry {
  const { slot } = makeSlot();
  return buildAttempted(slot, makeMade(over), { state: 'success', nextDueAtMs: null, nowMs: NOW });
}

describe('the entry of an attempt', () => {
  test('names the phases that the request went through, in whole milliseconds, and its configuration', () => {
    const timing = {
      dnsMs: 0.4,
      connectMs: 1.6,
      tlsMs: null,
      firstByteMs: 7.2,
      totalMs: 10,
      reusedConnection: false,
    };
    expect(entryOf({ timing, revision: 41 })).toMatchObject({
      phases: { dnsMs: 0, connectMs: 2, firstByteMs: 7 },
      revision: 41,
    });
    expect(entryOf({ timing }).phases).not.toHaveProperty('tlsMs');
  });

  test('of a request that was not made has neither phases nor headers', () => {
    const entry = entryOf({ timing: null, headers: null });
    expect(entry).not.toHaveProperty('phases');
    expect(entry).not.toHaveProperty('responseHeaders');
  });

  test('of a success leaves out the headers that say nothing of it, of a failure none', () => {
    const headers = {
      'content-type': 'application/json',
      date: 'Sun, 22 Nov 2026 12:00:00 GMT',
      connection: 'keep-alive',
      'content-length': '2',
    };
    expect(entryOf({ headers }).responseHeaders).toEqual({ 'content-type': 'application/json' });
    expect(entryOf({ headers, outcome: failure }).responseHeaders).toEqual(headers);
    expect(entryOf({ headers: { date: 'today' } })).not.toHaveProperty('responseHeaders');
  });

  test('redacts what could be a secret of the receiver', () => {
    const headers = { 'set-cookie': ['session=1', 'b=2'], 'x-api-key': 'k', 'x-request-id': 'r' };
    expect(entryOf({ headers }).responseHeaders).toEqual({
      'set-cookie': '[redacted]',
      'x-api-key': '[redacted]',
      'x-request-id': 'r',
    });
  });

  test('takes headers as long as they fit: four times as much of a failure as of a success', () => {
    const headers = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`x-${i + 10}`, 'v'.repeat(96)]));
    const count = (entry: AttemptedEntry) => Object.keys(entry.responseHeaders ?? {}).length;
    expect(count(entryOf({ headers }))).toBe(10);
    expect(count(entryOf({ headers, outcome: failure }))).toBe(40);
    expect(entryOf({ headers: { 'x-long': ['v'.repeat(600), 'v'.repeat(600)] } })).not.toHaveProperty(
      'responseHeaders',
    );
  });

  test('takes a header of any name for what it is', () => {
    const headers = JSON.parse('{"__proto__":["a"],"constructor":"b"}') as Record<string, string>;
    const text = JSON.stringify(entryOf({ headers }));
    expect(text).toContain('"responseHeaders":{"__proto__":["a"],"constructor":"b"}');
  });

  test('grows by few bytes where it is written most: a success over an open connection', () => {
    const headers = {
      'content-type': 'application/json',
      date: 'Sun, 22 Nov 2026 12:00:00 GMT',
      connection: 'keep-alive',
      'keep-alive': 'timeout=5',
      'content-length': '15',
    };
    const { phases, revision, responseHeaders, ...before } = entryOf({
      headers,
      body: Buffer.from('{"received":1}'),
    });
    const added =
      JSON.stringify({ ...before, phases, revision, responseHeaders }).length - JSON.stringify(before).length;
    expect(added).toBeLessThan(110);
  });
});
