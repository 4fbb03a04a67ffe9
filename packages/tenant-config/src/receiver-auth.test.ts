import type { TenantEndpointRow, TenantRow } from '@posthorn/db';
import { parseKeyRing, SealedSecretError, sealSecret } from '@posthorn/secrets';
import { describe, expect, test } from 'vitest';
import { AUTH_FIELD, ownHeadersOf, readAuth, readTls, TLS_FIELD } from './receiver-auth.ts';
import { toTenantConfig } from './tenant-config.ts';

const ring = parseKeyRing(Buffer.alloc(32, 1).toString('base64'));
const AUTH = { type: 'bearer', token: 'of-the-receiver' } as const;
const TLS = { ca: 'PEM' };
const seal = (field: string, value: object, endpointId = 'ep_1') =>
  sealSecret(ring, { tenantId: 't', endpointId, field }, JSON.stringify(value));

function endpointOf(over: Pick<TenantEndpointRow, 'sealedAuth' | 'sealedTls'>) {
  const endpoint = { endpointId: 'ep_1', sealedSecrets: [], sealedHeaders: {}, versions: [], ...over };
  const row = { tenantId: 't', endpoints: [endpoint] } as unknown as TenantRow;
  return toTenantConfig(row, ring).endpoints.get('ep_1')!;
}

describe('what authenticates the requests of an endpoint', () => {
  test('is opened for it when it is looked at, and is null where there is none', () => {
    const sealed = endpointOf({ sealedAuth: seal(AUTH_FIELD, AUTH), sealedTls: seal(TLS_FIELD, TLS) });
    expect([sealed.auth, sealed.tls]).toEqual([AUTH, TLS]);
    expect(sealed.auth).toBe(sealed.auth);
    for (const row of [{}, { sealedAuth: null, sealedTls: null }]) {
      const bare = endpointOf(row);
      expect([bare.auth, bare.tls]).toEqual([null, null]);
    }
  });

  test('does not open in the place of another, or of another endpoint', () => {
    const swapped = endpointOf({
      sealedAuth: seal(TLS_FIELD, AUTH),
      sealedTls: seal(TLS_FIELD, TLS, 'ep_2'),
    });
    expect(() => swapped.auth).toThrow(SealedSecretError);
    expect(() => swapped.tls).toThrow(SealedSecretError);
  });

  test.each(['{"type":"later"}', '{"type":"bearer"}', '{"type":"toString"}', '{}'])(
    'is not guessed at where only another release knows it: %s',
    (text) => expect(() => readAuth(text)).toThrow('this release does not know'),
  );

  test.each(['secret', '"a secret"', 'null', '[secret', '{"token":secret}'])(
    'is not quoted where it cannot be read: %s',
    (text) => {
      for (const read of [readAuth, readTls])
        expect(() => read(text)).toThrow(/^what was sealed for the endpoint is no JSON object$/);
    },
  );

  test.each([
    ['of a bearer', AUTH, ['authorization', 'Bearer of-the-receiver']],
    ['of an API key, in lower case', { type: 'api_key', header: 'X-Key', value: 'a' }, ['x-key', 'a']],
    [
      'of Basic, in UTF-8',
      { type: 'basic', username: 'us', password: 'pä:ss' },
      ['authorization', 'Basic dXM6cMOkOnNz'],
    ],
  ] as const)('is a header beside its own: that %s', (_name, auth, header) => {
    const headers = [['x-team', 'billing']] as const;
    expect(ownHeadersOf({ headers, auth }, 'webhook')).toEqual([...headers, header]);
  });

  test('is no header where there is none, or a token has to be had first', () => {
    const client = { token_url: 'https://login.example/', client_id: 'a', client_secret: 'b' };
    for (const auth of [null, undefined, { type: 'oauth2_client_credentials', ...client }] as const)
      expect(ownHeadersOf({ headers: [], ...(auth === undefined ? {} : { auth }) }, 'webhook')).toEqual([]);
  });

  test('leaves out the headers that are ours under the prefix in force', () => {
    const headers = [
      ['acme-id', 'a'],
      ['x-acme-run', 'b'],
      ['x-team', 'c'],
    ] as const;
    const auth = { type: 'api_key', header: 'acme-key', value: 'd' } as const;
    expect(ownHeadersOf({ headers, auth }, 'acme')).toEqual([['x-team', 'c']]);
  });
});
