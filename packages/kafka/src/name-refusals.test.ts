import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { nameRefusals, nameSaslFailure } from './name-refusals.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setup(options: { tls?: boolean; sasl?: boolean; read?: number; written?: number } = {}) {
  const { tls = false, sasl = false, read = 0, written = 100 } = options;
  const destroy = (error: Error) => socket.emit('error', error);
  const state = { bytesRead: read, bytesWritten: written, writableEnded: false, destroy };
  const socket = Object.assign(new EventEmitter(), state);
  const refused: string[] = [];
  const errors: string[] = [];
  const target = { host: 'broker', port: 9093, onConnect() {}, ...(tls ? { ssl: {} } : {}) };
  nameRefusals(socket as unknown as Socket, target, {
    hasSasl: sasl,
    explain: ({ code }, at) => (code?.startsWith('E') ? undefined : `${code} at ${at}`),
    onRefused: (sentence) => refused.push(sentence),
  });
  socket.on('error', (error: Error) => errors.push(error.message));
  const fail = (code: string) => socket.emit('error', Object.assign(new Error('its own words'), { code }));
  return { socket, refused, errors, fail };
}

test('an error has words that help before anybody else reads it, and is final', () => {
  const { fail, errors, refused } = setup({ tls: true });
  fail('CERT_HAS_EXPIRED');
  expect(errors).toEqual(['CERT_HAS_EXPIRED at broker:9093']);
  expect(refused).toEqual(errors);
});

test('an error that nobody can explain keeps its own words, and is not final', () => {
  const { fail, errors, refused } = setup();
  fail('ECONNREFUSED');
  expect([errors, refused]).toEqual([['its own words'], []]);
});

test('a broker that is silent in the handshake is given up before kafkajs does, which leaves the socket', () => {
  const { errors, refused } = setup({ tls: true });
  vi.advanceTimersByTime(8_000);
  expect([errors, refused]).toEqual([['TLS_SILENT at broker:9093'], []]);
});

test('a handshake that is done is not given up', () => {
  const { socket, errors } = setup({ tls: true });
  socket.emit('secureConnect');
  vi.advanceTimersByTime(60_000);
  expect(errors).toEqual([]);
});

test.each([
  ['plain text, and a TLS alert or nothing back', { tls: false, read: 7 }, 'CLOSED_WITHOUT_ANSWER'],
  ['no name, and no more than the first answer back', { tls: false, read: 600 }, 'CLOSED_AT_FIRST_REQUEST'],
  ['no name over TLS', { tls: true, read: 600 }, 'CLOSED_AT_FIRST_REQUEST'],
])('a connection closed at once, by a FIN or by a reset, is told from others: %s', (_, options, code) => {
  for (const end of ['FIN', 'reset']) {
    const { socket, fail, errors, refused } = setup(options);
    socket.emit(options.tls ? 'secureConnect' : 'connect');
    if (end === 'FIN') socket.emit('end');
    else fail('ECONNRESET');
    expect([end, errors, refused]).toEqual([end, [`${code} at broker:9093`], []]);
  }
});

test.each([
  ['with a name', { sasl: true, read: 600 }],
  ['after more answers than one', { read: 10_000 }],
  ['before anything was asked', { written: 0 }],
])('a connection closed later is just closed: %s', (_, options) => {
  const { socket, errors } = setup(options);
  socket.emit('connect');
  socket.emit('end');
  expect(errors).toEqual([]);
});

test('a connection that we closed, or that is old, is just closed', () => {
  const ours = setup();
  ours.socket.emit('connect');
  ours.socket.writableEnded = true;
  ours.socket.emit('end');
  const old = setup();
  old.socket.emit('connect');
  vi.advanceTimersByTime(10_000);
  old.socket.emit('end');
  expect([...ours.errors, ...old.errors]).toEqual([]);
});

test('a reset in the handshake is of a port without TLS', () => {
  const { fail, errors } = setup({ tls: true });
  fail('ECONNRESET');
  expect(errors).toEqual(['CLOSED_IN_HANDSHAKE at broker:9093']);
});

test('a failure of SASL is told from others by what kafkajs calls it', () => {
  const failure = (fields: object) => nameSaslFailure(Object.assign(new Error('words'), fields))?.code;
  expect(failure({ type: 'ILLEGAL_SASL_STATE' })).toBe('SASL_NOT_TAKEN');
  expect(failure({ type: 'UNSUPPORTED_SASL_MECHANISM' })).toBe('SASL_NOT_TAKEN');
  expect(failure({ name: 'KafkaJSSASLAuthenticationError' })).toBe('SASL_AUTHENTICATION_FAILED');
  expect(failure({ name: 'KafkaJSConnectionError' })).toBeUndefined();
});
