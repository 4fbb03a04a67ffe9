import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { generatePrivateKey, generateSecret, parseSecret, type SigningKey } from './keys.ts';
import type { ReceivedHeaders } from './read-received.ts';
import { sign } from './sign.ts';
import { verify } from './verify.ts';

const NOW = { nowSeconds: 1_700_000_000 };

function setup() {
  const secret = generateSecret();
  const parsed = parseSecret(secret);
  if (!parsed.ok) throw new Error(parsed.reason);
  const body = Buffer.from('{"big":12345678901234567890}');
  const headers = sign({ id: 'dlv_1', timestampSeconds: NOW.nowSeconds, body, keys: [parsed.key] });
  return { secret, key: parsed.key as SigningKey, body, headers };
}

function reasonFor(headers: ReceivedHeaders, body: Buffer, secrets: string[], now = NOW) {
  const result = verify(headers, body, secrets, now);
  return result.ok ? 'accepted' : result.reason;
}

describe('verify accepts', () => {
  test('what sign made, with the secret as text or parsed', () => {
    const { headers, body, secret, key } = setup();
    expect(verify(headers, body, [secret], NOW)).toEqual({ ok: true });
    expect(verify(headers, body.toString(), [key], NOW)).toEqual({ ok: true });
  });

  test('what an independent implementation signed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const { secret } = setup();
        const signature = new Webhook(secret).sign('msg_1', new Date(NOW.nowSeconds * 1_000), text);
        const headers = {
          'webhook-id': 'msg_1',
          'webhook-timestamp': `${NOW.nowSeconds}`,
          'webhook-signature': signature,
        };
        expect(verify(headers, text, [secret], NOW)).toEqual({ ok: true });
      }),
    );
  });

  test('either secret while one is being rotated, on either side', () => {
    const { headers, body, secret } = setup();
    const other = setup();
    expect(reasonFor(headers, body, [other.secret, secret])).toBe('accepted');
    const bothSigned = sign({
      id: 'dlv_1',
      timestampSeconds: NOW.nowSeconds,
      body,
      keys: [other.key, setup().key],
    });
    expect(reasonFor(bothSigned, body, [other.secret])).toBe('accepted');
  });

  test('header names in any case, and passes over signatures of other versions', () => {
    const { headers, body, secret } = setup();
    const received = {
      'Webhook-Id': headers['webhook-id'],
      'WEBHOOK-TIMESTAMP': headers['webhook-timestamp'],
      'Webhook-Signature': `v1a,AAAA v2,${'A'.repeat(43)}= ${headers['webhook-signature']}`,
      'content-type': ['a', 'b'],
    };
    expect(reasonFor(received, body, [secret])).toBe('accepted');
  });
});

test('every key is tried, also after one that fits, so that time tells nothing about which did', () => {
  const { headers, body, secret, key } = setup();
  let tried = 0;
  const watched = {
    algorithm: key.algorithm,
    get key() {
      tried += 1;
      return key.key;
    },
  };
  expect(verify(headers, body, [secret, watched as SigningKey, secret], NOW)).toEqual({ ok: true });
  expect(tried).toBe(1);
});

describe('verify refuses', () => {
  test('another body, id or timestamp', () => {
    const { headers, body, secret } = setup();
    expect(reasonFor(headers, Buffer.from('{}'), [secret])).toBe('no_matching_signature');
    expect(reasonFor({ ...headers, 'webhook-id': 'dlv_2' }, body, [secret])).toBe('no_matching_signature');
    const later = { ...headers, 'webhook-timestamp': String(NOW.nowSeconds + 1) };
    expect(reasonFor(later, body, [secret])).toBe('no_matching_signature');
  });

  test('any single flipped bit of the body', () => {
    const { headers, body, secret } = setup();
    fc.assert(
      fc.property(fc.nat(body.length * 8 - 1), (bit) => {
        const flipped = Buffer.from(body);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        expect(reasonFor(headers, flipped, [secret])).toBe('no_matching_signature');
      }),
    );
  });

  test('signatures that are short, long, re-spelt or garbage, without throwing', () => {
    const { headers, body, secret } = setup();
    const good = headers['webhook-signature'];
    for (const signature of [
      'v1,',
      'v1',
      ',',
      `${good}=`,
      good.slice(0, 20),
      good.slice(0, -1),
      `${good}AAAA`,
      'v1,ä',
      `v2,${good.slice(3)}`,
    ]) {
      expect(reasonFor({ ...headers, 'webhook-signature': signature }, body, [secret])).toBe(
        'no_matching_signature',
      );
    }
  });

  test('a missing, empty or repeated header', () => {
    const { headers, body, secret } = setup();
    for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const) {
      expect(reasonFor({ ...headers, [name]: undefined }, body, [secret])).toBe('missing_header');
      expect(reasonFor({ ...headers, [name]: '' }, body, [secret])).toBe('missing_header');
      expect(reasonFor({ ...headers, [name]: [headers[name]] }, body, [secret])).toBe('repeated_header');
      expect(reasonFor({ ...headers, [name.toUpperCase()]: 'x' }, body, [secret])).toBe('repeated_header');
    }
  });

  test('timestamps beyond the tolerance on either side, to the second', () => {
    const { headers, body, secret } = setup();
    const at = (nowSeconds: number) => reasonFor(headers, body, [secret], { nowSeconds });
    expect(at(NOW.nowSeconds + 300)).toBe('accepted');
    expect(at(NOW.nowSeconds + 301)).toBe('timestamp_too_old');
    expect(at(NOW.nowSeconds - 300)).toBe('accepted');
    expect(at(NOW.nowSeconds - 301)).toBe('timestamp_too_new');
    expect(
      verify(headers, body, [secret], { nowSeconds: NOW.nowSeconds + 11, toleranceSeconds: 10 }),
    ).toMatchObject({ ok: false });
  });

  test.each(['1e9', '-1', '1700000000.0', ' 1700000000', '0x1', '1'.repeat(16)])(
    'the timestamp %j',
    (timestamp) => {
      const { headers, body, secret } = setup();
      expect(reasonFor({ ...headers, 'webhook-timestamp': timestamp }, body, [secret])).toBe(
        'malformed_timestamp',
      );
    },
  );

  test('an old request whose timestamp was moved into its id, and the start of its body into the timestamp', () => {
    const { secret, key } = setup();
    const old = { id: 'dlv_1', timestampSeconds: 1_600_000_000, body: `${NOW.nowSeconds}.5`, keys: [key] };
    const moved = {
      ...sign(old),
      'webhook-id': 'dlv_1.1600000000',
      'webhook-timestamp': `${NOW.nowSeconds}`,
    };
    expect(reasonFor(moved, Buffer.from('5'), [secret])).toBe('malformed_id');
  });

  test('headers and lists of signatures beyond their bounds', () => {
    const { headers, body, secret } = setup();
    const withSignature = (signature: string) =>
      reasonFor({ ...headers, 'webhook-signature': signature }, body, [secret]);
    expect(withSignature('v1, '.repeat(40))).toBe('too_many_signatures');
    expect(withSignature('x'.repeat(5_000))).toBe('header_too_large');
    expect(reasonFor({ ...headers, 'webhook-id': 'x'.repeat(257) }, body, [secret])).toBe('header_too_large');
  });

  test('to work without a secret, or with one that is not valid', () => {
    const { headers, body, secret } = setup();
    expect(reasonFor(headers, body, [])).toBe('invalid_secret');
    expect(reasonFor(headers, body, [secret, 'whsec_short'])).toBe('invalid_secret');
  });
});

/** Of any code units. `fc.string({ unit: 'binary' })` takes seconds to be made. */
const anyText = (maxLength: number) =>
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength }).map((units) => String.fromCharCode(...units));

test('whatever comes as headers and body, verify gives a result and never throws', () => {
  const { secret } = setup();
  const value = fc.oneof(anyText(300), fc.array(fc.string()));
  const headers = fc.record({
    'webhook-id': value,
    'webhook-timestamp': fc.oneof(value, fc.constant(`${NOW.nowSeconds}`)),
    'webhook-signature': fc.oneof(
      value,
      anyText(200).map((text) => `v1,${text} v1a,${text}`),
      fc.base64String({ maxLength: 120 }).map((text) => `v1,${text} v1a,${text}`),
    ),
  });
  const keys = [secret, generatePrivateKey()];
  fc.assert(
    fc.property(headers, anyText(20), (received, body) => {
      expect(verify(received, body, keys, NOW).ok).toBe(false);
    }),
    { numRuns: 25 },
  );
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  'a clock at %d lets nothing through',
  (nowSeconds) => {
    const { headers, body, secret } = setup();
    expect(verify(headers, body, [secret], { nowSeconds }).ok).toBe(false);
    expect(verify(headers, body, [secret], { ...NOW, toleranceSeconds: Number.NaN }).ok).toBe(false);
  },
);

test.each(['', 'Acme', '-a', 'a-', 'a--b', 'a b', 'a\r\nx', '9a', 'a'.repeat(33)])(
  'headers are not named after %j',
  (headerPrefix) => {
    const { headers, body, secret, key } = setup();
    expect(() => verify(headers, body, [secret], { ...NOW, headerPrefix })).toThrow(RangeError);
    const input = { id: 'dlv_1', timestampSeconds: NOW.nowSeconds, body, keys: [key] };
    expect(() => sign(input, { headerPrefix })).toThrow(RangeError);
  },
);
