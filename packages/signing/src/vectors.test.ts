import { createSecretKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bodyOf, keyVectors, shortKeyVectors, signVectors, verifyVectors } from '../test/vectors.ts';
import * as node from './index.ts';
import * as web from './web/index.ts';

function nodeKey(text: string): node.SigningKey {
  const parsed = text.startsWith(node.PRIVATE_KEY_PREFIX)
    ? node.parsePrivateKey(text)
    : node.parseSecret(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.key;
}

async function webKey(text: string): Promise<web.WebKey> {
  const imported = await web.importKey(text);
  if (!imported.ok) throw new Error(imported.reason);
  return imported.key;
}

const prefixOf = (prefix: string | undefined) => (prefix === undefined ? {} : { headerPrefix: prefix });

describe.each(signVectors)('signing, $name', (vector) => {
  const { id, timestamp: timestampSeconds, keys, headers } = vector;
  const options = prefixOf(vector.header_prefix);

  test('gives the headers of the vector in Node', () => {
    const input = { id, timestampSeconds, body: bodyOf(vector), keys: keys.map(nodeKey) };
    expect(node.sign(input, options)).toMatchObject(headers);
  });

  test('gives the headers of the vector with Web Crypto', async () => {
    const input = { id, timestampSeconds, body: bodyOf(vector), keys: await Promise.all(keys.map(webKey)) };
    expect(await web.sign(input, options)).toMatchObject(headers);
  });
});

describe.each(verifyVectors)('verifying, $name', ({ headers, body, keys, now, result, ...vector }) => {
  const options = { nowSeconds: now, ...prefixOf(vector.header_prefix) };
  const expected = result === 'ok' ? { ok: true } : { ok: false, reason: result };

  test('is judged as the vector says in Node', () => {
    expect(node.verify(headers, body, keys, options)).toEqual(expected);
    expect(node.verify(headers, Buffer.from(body), keys, options)).toEqual(expected);
  });

  test('is judged as the vector says with Web Crypto', async () => {
    expect(await web.verify(headers, body, keys, options)).toEqual(expected);
    expect(await web.verify(headers, Buffer.from(body), keys, options)).toEqual(expected);
  });
});

describe.each(keyVectors)('the key $text', ({ text, kind, hex, public_key: publicKey }) => {
  test('is what the vector says in Node', () => {
    const parsed = node.parseKey(text);
    if (!parsed.ok) return expect({ kind: 'refused' }).toEqual({ kind });
    const { key } = parsed;
    expect(key.algorithm.replace('hmac-sha256', 'hmac')).toBe(kind);
    if (hex !== undefined) expect(key.key.export().toString('hex')).toBe(hex);
    if (publicKey !== undefined) expect(key).toMatchObject({ publicKey });
  });

  test('is what the vector says with Web Crypto', async () => {
    const imported = await web.importKey(text);
    if (!imported.ok) return expect({ kind: 'refused' }).toEqual({ kind });
    expect(imported.key.algorithm.replace('hmac-sha256', 'hmac')).toBe(kind);
    if (publicKey !== undefined) expect(imported.key.publicKey).toBe(publicKey);
  });
});

test.each(shortKeyVectors)('a signature $name is the published one', (vector) => {
  const key = createSecretKey(Buffer.from(vector.key_base64, 'base64'));
  const { signature } = node.makeSignatures({
    id: vector.id,
    timestampSeconds: vector.timestamp,
    body: Buffer.from(vector.body),
    keys: [{ algorithm: 'hmac-sha256', key }],
  });
  expect(signature).toBe(vector.signature);
});
