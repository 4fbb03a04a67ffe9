import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SECRET_PREFIX } from './key-text.ts';
import { generateSecret, parseSecret } from './keys.ts';

function keyBytes(text: string): Buffer {
  const parsed = parseSecret(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.key.key.export();
}

const serialised = (bytes: Uint8Array) => SECRET_PREFIX + Buffer.from(bytes).toString('base64');

describe('a generated secret', () => {
  test('is whsec_ and the base64 of 32 bytes', () => {
    expect(generateSecret()).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(keyBytes(generateSecret())).toHaveLength(32);
  });

  test('is another one each time', () => {
    expect(generateSecret()).not.toBe(generateSecret());
  });
});

describe('a serialised secret', () => {
  test('of 24 to 64 bytes gives exactly these bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 64 }), (bytes) => {
        expect(keyBytes(serialised(bytes))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  test.each([0, 1, 23, 65, 100])('of %i bytes is refused', (length) => {
    expect(parseSecret(serialised(new Uint8Array(length)))).toMatchObject({
      ok: false,
      reason: expect.stringContaining(`not ${length}`),
    });
  });

  const valid = Buffer.alloc(25, 0xfb).toString('base64');
  test.each([
    ['without its padding', valid.replace(/=+$/, '')],
    ['with more padding', `${valid}=`],
    ['in the URL alphabet', valid.replaceAll('+', '-').replaceAll('/', '_')],
    ['with garbage that a lax decoder skips', `${valid.slice(0, 8)}!\n ${valid.slice(8)}`],
    ['with stray bits in its last character', `${valid.slice(0, -3)}x==`],
    ['with a space at its end', `${valid} `],
    ['of kilobytes', 'A'.repeat(100_000)],
    ['that is no base64 at all', 'a perfectly good passphrase'],
  ])('%s is refused, not taken as a plain one', (_, encoded) => {
    expect(parseSecret(SECRET_PREFIX + encoded)).toMatchObject({ ok: false });
  });
});

describe('a plain secret', () => {
  test('of 16 to 256 characters gives its UTF-8 bytes', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 16, maxLength: 40, unit: 'grapheme-composite' }), (text) => {
        fc.pre(!text.startsWith(SECRET_PREFIX) && text.length <= 256);
        expect(keyBytes(text)).toEqual(Buffer.from(text, 'utf8'));
      }),
      { numRuns: 50 },
    );
    expect(keyBytes('x'.repeat(256))).toHaveLength(256);
  });

  test.each(['', 'x'.repeat(15), 'x'.repeat(257)])('of another length is refused', (text) => {
    expect(parseSecret(text)).toMatchObject({ ok: false });
  });

  test('with a lone surrogate is refused, since its bytes would be those of another secret', () => {
    expect(parseSecret(`${'x'.repeat(20)}\ud800`)).toMatchObject({ ok: false });
  });
});

test('a refusal never repeats the secret', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z]{5,15}$/), (text) => {
      const parsed = parseSecret(SECRET_PREFIX + text);
      expect(parsed.ok ? '' : parsed.reason).not.toContain(text);
    }),
  );
});
