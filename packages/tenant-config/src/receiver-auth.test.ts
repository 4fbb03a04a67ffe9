import type { TenantEndpointRow, TenantRow } from '@posthorn/db';
import { parseKeyRing, SealedSecretError, sealSecret } from '@posthorn/secrets';
import { describe, expect, test } from 'vitest';
import { AUTH_FIELD, authHeaderOf, readAuth, TLS_FIELD } from './receiver-auth.ts';
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

  test('is a header, unless a token has to be had first', () => {
    expect(authHeaderOf(AUTH)).toEqual(['authorization', 'Bearer of-the-receiver']);
    expect(authHeaderOf({ type: 'api_key', header: 'x-key', value: 'a' })).toEqual(['x-key', 'a']);
    const basic = authHeaderOf({ type: 'basic', username: 'us', password: 'pä:ss' });
    expect(basic).toEqual(['authorization', 'Basic dXM6cMOkOnNz']);
    const client = { token_url: 'https://login.example/', client_id: 'a', client_secret: 'b' };
    expect(authHeaderOf({ type: 'oauth2_client_credentials', ...client })).toBeNull();
  });
});
