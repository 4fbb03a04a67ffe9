import { describe, expect, it } from 'vitest';
import { runFilterTest } from './test-filter.ts';

const run = (body: unknown) =>
  runFilterTest(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));

describe('a filter that is tried', () => {
  const filter = { labels: { region: 'eu' }, payload: { total: { $gt: 9007199254740991 } } };

  it('says whether the event would pass, by the numbers as they are written', () => {
    const body = (total: string, region = 'eu') =>
      `{"filter":${JSON.stringify(filter)},"payload":{"total":${total}},"labels":{"region":"${region}"}}`;
    expect(run(body('9007199254740991.5'))).toEqual({ matches: true });
    expect(run(body('9007199254740991.0'))).toEqual({ matches: false });
    expect(run(body('9007199254740992', 'us'))).toEqual({ matches: false });
  });

  it('sees no payload where none is given, and a payload that is no object', () => {
    expect(run({ filter: { payload: { $exists: true } } })).toEqual({ matches: false });
    expect(run({ filter: { payload: 1 }, payload: 1 })).toEqual({ matches: true });
  });

  it('is refused with every fault of the filter and of what is beside it', () => {
    const bad = { filter: { payload: { a: { $like: 'x' }, b: [] } }, labels: { 'no key': 'x' }, paylod: 1 };
    expect(run(bad)).toMatchObject({
      code: 'invalid_request',
      errors: [
        { pointer: '/paylod', detail: 'is not a known field' },
        { pointer: '/labels/no key' },
        { pointer: '/filter/payload/a/$like' },
        { pointer: '/filter/payload/b' },
      ],
    });
    expect(run({ payload: {} })).toMatchObject({ errors: [{ pointer: '/filter', detail: 'is required' }] });
    expect(run('{')).toMatchObject({ code: 'invalid_json' });
    expect(run('[]')).toMatchObject({ code: 'invalid_request' });
  });
});
