import dns from 'node:dns';
import net from 'node:net';
import tls from 'node:tls';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { checkUrl, createAddressPolicy, parseTarget } from '../src/index.ts';
import { HOSTILE_TEXTS, INNER_ADDRESSES, INNER_NAMES, PLAIN_URLS } from './hostile-urls.ts';
import { setupAgent } from './setup-agent.ts';

const policy = createAddressPolicy({ allowedCidrs: [] });

function codeFor(text: string): string {
  const check = checkUrl(text, policy);
  return check.ok ? 'ok' : check.code;
}

beforeEach(() => {
  // Nothing may get as far as a socket or a name server; if it did, it would not get further either.
  for (const opening of [net, tls]) vi.spyOn(opening, 'connect').mockImplementation(refuseToOpen);
  vi.spyOn(dns, 'lookup').mockImplementation(refuseToOpen as never);
});
afterEach(() => vi.restoreAllMocks());

const refuseToOpen = (): never => {
  throw new Error('somebody was asked');
};
const nobodyWasAsked = (): void => {
  for (const spied of [net.connect, tls.connect, dns.lookup]) expect(spied).not.toHaveBeenCalled();
};

const INNER_URLS = [
  ...INNER_ADDRESSES.map((host) => [`http://${host}/`, 'url_address_blocked'] as const),
  ...INNER_ADDRESSES.map((host) => [`https://${host}:8443/x?y`, 'url_address_blocked'] as const),
  ...INNER_NAMES.map((host) => [`https://${host}/`, 'url_host_reserved'] as const),
];

describe('when it is registered', () => {
  test.each(INNER_URLS)('%s is refused', (text, code) => {
    expect(codeFor(text)).toBe(code);
    nobodyWasAsked();
  });

  test.each(HOSTILE_TEXTS)('%j is refused', (text, code) => {
    expect(codeFor(text)).toBe(code);
    nobodyWasAsked();
  });

  test.each(PLAIN_URLS)('%s is accepted, and leads to %s', (text, origin) => {
    expect(checkUrl(text, policy)).toMatchObject({ ok: true, url: { origin } });
    nobodyWasAsked();
  });

  test('there are some hundreds of these', () => {
    expect(INNER_URLS.length + HOSTILE_TEXTS.length).toBeGreaterThan(500);
  });
});

/** As if it had been stored before there was a check, or behind it. */
const STORED = [...INNER_URLS, ...HOSTILE_TEXTS]
  .map(([text]) => text)
  .filter((text) => parseTarget(text) !== null);

test('what is stored all the same and leads inside is not called, nor is anybody asked for its name', async () => {
  const asked: string[] = [];
  const lookup = async (name: string) => {
    asked.push(name);
    return [{ address: '10.0.0.1', ttlSeconds: 60 }];
  };
  await using setup = setupAgent({ allowedCidrs: [], lookup });
  const sent = await Promise.all(STORED.map((text) => setup.send(text)));
  const gone = STORED.filter((_, at) => {
    const result = sent[at]!;
    return !(
      result.kind === 'failure' &&
      result.failure === 'blocked' &&
      result.detail === 'connection refused'
    );
  });
  expect(gone).toEqual([]);
  expect(STORED.length).toBeGreaterThan(400);
  // Of all these, public names alone (a user, a fragment, another port beside them) are looked up.
  expect(asked.filter((name) => name !== 'example.com')).toEqual([]);
  nobodyWasAsked();
});
