import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isEventType, isEventTypeFilter, isLabelKey, matches } from './event.ts';

const part = fc.stringMatching(/^[a-z0-9_-]{1,12}$/);
const eventType = fc.array(part, { minLength: 1, maxLength: 8 }).map((parts) => parts.join('.'));
const labels = fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.string({ maxLength: 8 }), {
  maxKeys: 6,
});

describe('event types', () => {
  test.each(['order', 'order.created', 'gitlab.push.created', 'a.b.c.d.e.f.g.h', 'x-1.y_2'])(
    '%s is one',
    (text) => {
      expect(isEventType(text)).toBe(true);
    },
  );

  test.each([
    ['nothing', ''],
    ['capitals', 'Order.created'],
    ['nine parts', 'a.b.c.d.e.f.g.h.i'],
    ['an empty part', 'order..created'],
    ['a dot at the end', 'order.'],
    ['a wildcard', 'order.*'],
    ['a line break', 'order\n'],
    ['257 characters', 'a'.repeat(257)],
  ])('%s is none', (_, text) => {
    expect(isEventType(text)).toBe(false);
  });

  test('whatever is made of one to eight proper parts is one', () => {
    fc.assert(fc.property(eventType, (type) => isEventType(type) && isEventTypeFilter(type)));
  });
});

test.each([
  ['*', true],
  ['order.*', true],
  ['order.item.*', true],
  ['order', true],
  ['*.created', false],
  ['order*', false],
  ['order.*.created', false],
  ['', false],
])('%s as a filter: %s', (text, valid) => {
  expect(isEventTypeFilter(text)).toBe(valid);
});

test.each([
  ['env', true],
  ['app.kubernetes.io/name', true],
  ['__proto__', false],
  ['.env', false],
  ['', false],
  ['a'.repeat(65), false],
])('%s as a label key: %s', (text, valid) => {
  expect(isLabelKey(text)).toBe(valid);
});

describe('matching', () => {
  test.each([
    ['the same type', ['order.created'], 'order.created', true],
    ['another type', ['order.created'], 'order.deleted', false],
    ['any type', ['*'], 'order.created', true],
    ['a prefix', ['order.*'], 'order.item.added', true],
    ['the prefix alone', ['order.*'], 'order', false],
    ['a longer word', ['order.*'], 'orders.created', false],
    ['one of several filters', ['user.*', 'order.created'], 'order.created', true],
    ['no filter', [], 'order.created', false],
  ])('by type: %s', (_, eventTypes, type, matched) => {
    expect(matches({ eventTypes, labels: {} }, type, {})).toBe(matched);
  });

  test.each([
    ['all wanted labels are there', { env: 'prod' }, { env: 'prod', region: 'eu' }, true],
    ['one has another value', { env: 'prod' }, { env: 'test' }, false],
    ['one is missing', { env: 'prod', region: 'eu' }, { env: 'prod' }, false],
    ['none are wanted', {}, { env: 'prod' }, true],
    ['a wanted one has the name of an inherited property', { constructor: 'x' }, {}, false],
  ])('by labels: %s', (_, wanted, carried, matched) => {
    expect(matches({ eventTypes: ['*'], labels: wanted }, 'order.created', carried as never)).toBe(matched);
  });

  test('a label more on the event never takes a match away', () => {
    fc.assert(
      fc.property(labels, labels, (wanted, more) =>
        matches({ eventTypes: ['*'], labels: wanted }, 'order.created', { ...more, ...wanted }),
      ),
    );
  });

  test('a filter more never takes a match away', () => {
    fc.assert(
      fc.property(eventType, fc.array(eventType), (type, others) => {
        const first = type.split('.')[0]!;
        const filters = type === first ? [type] : [`${first}.*`];
        return matches({ eventTypes: [...others, ...filters], labels: {} }, type, {});
      }),
    );
  });
});
