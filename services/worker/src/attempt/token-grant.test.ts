import { expect, test } from 'vitest';
import { makeEndpoint } from '../../test/factories.ts';
import { prepareGrant } from './token-grant.ts';

const endpoint = makeEndpoint();
const AUTH = {
  type: 'oauth2_client_credentials',
  token_url: 'https://login.example/token?x=1',
  client_id: 'a:b c',
  client_secret: 'p%é~*&"',
} as const;

function grantOf(over: object = {}) {
  const grant = prepareGrant(
    endpoint,
    { ...AUTH, ...over },
    { senderHeaders: ['user-agent', 'us'], tls: undefined },
  )!;
  const flat = grant.request.headers as readonly string[];
  const headers = Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]]] : [])));
  return { grant, headers, form: Object.fromEntries(new URLSearchParams(grant.request.body.toString())) };
}

test('a token is asked for with id and secret encoded as of a form, then joined', () => {
  const { grant, headers, form } = grantOf();
  const [scheme, joined] = headers.authorization!.split(' ');
  expect(scheme).toBe('Basic');
  expect(Buffer.from(joined!, 'base64').toString()).toBe('a%3Ab+c:p%25%C3%A9%7E*%26%22');
  expect(form).toEqual({ grant_type: 'client_credentials' });
  expect(headers).toMatchObject({
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
    'user-agent': 'us',
  });
  expect(grant.request).toMatchObject({
    method: 'POST',
    target: { origin: 'https://login.example', path: '/token?x=1' },
    onBehalfOf: endpoint.tenantId,
  });
});

test('a server that wants it so gets id and secret in the body', () => {
  const { headers, form } = grantOf({ auth_style: 'body', scope: 'a b', audience: 'https://api.example/' });
  expect(headers.authorization).toBeUndefined();
  expect(form).toEqual({
    grant_type: 'client_credentials',
    scope: 'a b',
    audience: 'https://api.example/',
    client_id: AUTH.client_id,
    client_secret: AUTH.client_secret,
  });
});

test('the key of a grant is that of its endpoint, server and credentials, and has none of them in it', () => {
  const { key } = grantOf().grant;
  expect(grantOf().grant.key).toBe(key);
  const others = [{ client_secret: 'other' }, { scope: 'a' }, { token_url: 'https://login.example/other' }];
  const keys = others.map((over) => grantOf(over).grant.key);
  expect(new Set([key, ...keys]).size).toBe(4);
  const other = prepareGrant({ ...endpoint, endpointId: `${endpoint.endpointId}2` as never }, AUTH, {
    senderHeaders: [],
    tls: undefined,
  });
  expect(other?.key).not.toBe(key);
  expect(key).toMatch(/^[\w-]{43}$/);
});

test('a token URL that is none makes no grant', () => {
  expect(
    prepareGrant(endpoint, { ...AUTH, token_url: 'login' }, { senderHeaders: [], tls: undefined }),
  ).toBeNull();
});
