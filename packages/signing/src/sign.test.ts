import { createHmac, createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { generateSecret, parseSecret, type SigningKey } from './keys.ts';
import { sign } from './sign.ts';

function keyOf(secret: string): SigningKey {
  const parsed = parseSecret(secret);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.key;
}

const input = { id: 'dlv_1', timestampSeconds: 1_700_000_000, body: Buffer.from('{}') };

describe('a signature', () => {
  // Published with the reference libraries of Standard Webhooks, and in Svix' guide to verifying by hand (its key has
  // 18 bytes, which parseSecret refuses).
  test.each([
    {
      secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      timestampSeconds: 1_614_265_330,
      body: '{"test": 2432232314}',
      signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    },
    {
      secret: 'whsec_plJ3nmyCDGBKInavdOK15jsl',
      id: 'msg_loFOjxBNrRLzqYUf',
      timestampSeconds: 1_731_705_121,
      body: '{"event_type":"ping","data":{"success":true}}',
      signature: 'v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=',
    },
  ])('is the published one for $id', ({ secret, id, timestampSeconds, body, signature }) => {
    const key = createSecretKey(Buffer.from(secret.slice('whsec_'.length), 'base64'));
    const keys = [{ algorithm: 'hmac-sha256', key }] as const;
    const headers = sign({ id, timestampSeconds, body: Buffer.from(body), keys });
    expect(headers['webhook-signature']).toBe(signature);
    expect(headers['webhook-id']).toBe(id);
    expect(headers['webhook-timestamp']).toBe(String(timestampSeconds));
  });

  test('is accepted by an independent implementation, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.uint8Array({ minLength: 24, maxLength: 64 }),
        (text, bytes) => {
          const secret = `whsec_${Buffer.from(bytes).toString('base64')}`;
          const timestampSeconds = Math.floor(Date.now() / 1_000);
          const headers = sign({
            id: 'dlv_1',
            timestampSeconds,
            body: Buffer.from(text),
            keys: [keyOf(secret)],
          });
          new Webhook(secret).verify(text, headers, { jsonParse: false });
        },
      ),
    );
  });

  test('covers the bytes, also those that are no text', () => {
    const key = keyOf(generateSecret());
    const invalidUtf8 = sign({ ...input, body: Buffer.from([0xff]), keys: [key] });
    const replacement = sign({ ...input, body: Buffer.from('\ufffd'), keys: [key] });
    expect(invalidUtf8['webhook-signature']).not.toBe(replacement['webhook-signature']);
  });

  test('is made for every key while a secret rotates, the current one first', () => {
    const [current, previous] = [keyOf(generateSecret()), keyOf(generateSecret())];
    const both = sign({ ...input, keys: [current, previous] })['webhook-signature'];
    const each = [current, previous].map((key) => sign({ ...input, keys: [key] })['webhook-signature']);
    expect(both).toBe(each.join(' '));
  });

  test('for plain receivers is the hex HMAC of the body alone under the current key', () => {
    const plain = 'a plain secret of the user';
    const headers = sign({ ...input, keys: [keyOf(plain), keyOf(generateSecret())] });
    const expected = createHmac('sha256', plain).update('{}').digest('hex');
    expect(headers['x-webhook-signature']).toBe(`sha256=${expected}`);
  });
});

describe('what must not be signed is thrown back', () => {
  const keys = [keyOf(generateSecret())];
  test.each(['', 'a.b', 'a\r\nx: y', 'a\nb', 'a b', 'ä', 'a\u0000', '\u007f', 'x'.repeat(257)])(
    'the id %j',
    (id) => {
      expect(() => sign({ ...input, id, keys })).toThrow(RangeError);
    },
  );

  test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60])(
    'the timestamp %d',
    (timestampSeconds) => {
      expect(() => sign({ ...input, timestampSeconds, keys })).toThrow(RangeError);
    },
  );

  test('an empty list of keys', () => {
    expect(() => sign({ ...input, keys: [] })).toThrow(RangeError);
  });
});

test('any id of visible ASCII without a dot can be signed', () => {
  const keys = [keyOf(generateSecret())];
  const id = fc.string({
    minLength: 1,
    maxLength: 256,
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((c) => String.fromCharCode(c)),
  });
  fc.assert(
    fc.property(id, (candidate) => {
      fc.pre(!candidate.includes('.'));
      expect(sign({ ...input, id: candidate, keys })['webhook-id']).toBe(candidate);
    }),
  );
});
