import { expect, it } from 'vitest';
import { eventSource } from './event-source.ts';

const body = Buffer.from('{"n":1}');
const headers = {
  'ce-id': '1',
  'ce-source': '/shop',
  'ce-type': 'order.created',
  'content-type': 'text/plain',
};

it('of an event in its body is the body itself', () => {
  expect(eventSource({ 'content-type': 'application/json', 'x-actor': 'a' }, body)).toBe(body);
});

it('of an event in binary mode has its attributes too, in whatever order they came', () => {
  const source = eventSource(headers, body);
  const turned = Object.fromEntries(Object.entries(headers).reverse());
  expect(eventSource(turned, body)).toEqual(source);
  expect(eventSource({ ...headers, 'user-agent': 'b', 'ce-traceparent': '00-1' }, body)).toEqual(source);
});

it.each([
  ['another attribute', { ...headers, 'ce-type': 'order.paid' }],
  ['one more', { ...headers, 'ce-subject': '42' }],
  ['another content type', { ...headers, 'content-type': 'text/csv' }],
])('is another with %s', (_name, given) => {
  expect(eventSource(given, body)).not.toEqual(eventSource(headers, body));
});
