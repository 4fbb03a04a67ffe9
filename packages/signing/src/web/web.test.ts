import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as node from '../index.ts';
import { generatePrivateKey, generateSecret, importKey, sign, verify, type WebKey } from './index.ts';

const NOW = { nowSeconds: 1_700_000_000 };
const input = { id: 'dlv_1', timestampSeconds: NOW.nowSeconds, body: '{"a":1}' };

async function keyOf(text: string): Promise<WebKey> {
  const imported = await importKey(text);
  if (!imported.ok) throw new Error(imported.reason);
  return imported.key;
}

test('what one entry signs the other accepts, whatever the bytes', async () => {
  const keys = [generateSecret(), await generatePrivateKey(), node.generatePrivateKey()];
  const webKeys = await Promise.all(keys.map(keyOf));
  const nodeKeys = keys.map((text) => {
    const parsed = node.parseKey(text);
    if (!parsed.ok || parsed.key.algorithm === 'ed25519-public') throw new Error('signs nothing');
    return parsed.key;
  });
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const body = Buffer.from(bytes);
      const byWeb = await sign({ ...input, body, keys: webKeys });
      expect(byWeb).toEqual(node.sign({ ...input, body, keys: nodeKeys }));
      for (const key of keys) {
        expect(node.verify(byWeb, body, [key], NOW)).toEqual({ ok: true });
        expect(await verify(byWeb, body, [key], NOW)).toEqual({ ok: true });
      }
    }),
    { numRuns: 20 },
  );
});

describe('a request as runtimes of the web have it', () => {
  const secret = generateSecret();
  const received = async () => new Headers(await sign({ ...input, keys: [await keyOf(secret)] }));

  test('is checked by its own Headers and the buffer of its body', async () => {
    const body = new TextEncoder().encode(input.body).buffer;
    expect(await verify(await received(), body, [secret], NOW)).toEqual({ ok: true });
    expect(await verify(await received(), new ArrayBuffer(3), [secret], NOW)).toMatchObject({ ok: false });
  });

  test('is checked by the entry for Node as well', async () => {
    expect(node.verify(await received(), input.body, [secret], NOW)).toEqual({ ok: true });
    expect(node.verify(await received(), 'another', [secret], NOW)).toMatchObject({ ok: false });
  });

  test.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])(
    'is refused where %s came twice',
    async (name) => {
      const headers = await received();
      headers.append(name, headers.get(name)!);
      const refused = { ok: false, reason: 'repeated_header' };
      expect(await verify(headers, input.body, [secret], NOW)).toEqual(refused);
      expect(node.verify(headers, input.body, [secret], NOW)).toEqual(refused);
    },
  );
});

test('a key out of a variable that nobody set is an invalid secret, to both entries', async () => {
  const headers = await sign({ ...input, keys: [await keyOf(generateSecret())] });
  const refused = { ok: false, reason: 'invalid_secret' };
  expect(await verify(headers, input.body, [undefined], NOW)).toEqual(refused);
  expect(node.verify(headers, input.body, [undefined], NOW)).toEqual(refused);
});

test('a public key checks and signs nothing', async () => {
  const { publicKey } = await keyOf(await generatePrivateKey());
  const key = await keyOf(publicKey!);
  expect(key.publicKey).toBe(publicKey);
  await expect(sign({ ...input, keys: [key] })).rejects.toThrow(RangeError);
});

test.each([
  ['an id with a dot', { id: 'a.b' }],
  ['an id with a line end', { id: 'a\r\nb' }],
  ['a timestamp in milliseconds and a half', { timestampSeconds: 1.5 }],
])('%s is not signed', async (_what, over) => {
  const keys = [await keyOf(generateSecret())];
  await expect(sign({ ...input, keys, ...over })).rejects.toThrow(RangeError);
});

test('nothing is signed without a key, or under a prefix that is none', async () => {
  await expect(sign({ ...input, keys: [] })).rejects.toThrow(RangeError);
  const keys = [await keyOf(generateSecret())];
  await expect(sign({ ...input, keys }, { headerPrefix: 'a\r\nb' })).rejects.toThrow(RangeError);
});
