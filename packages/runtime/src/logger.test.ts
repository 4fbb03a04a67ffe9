import { expect, test } from 'vitest';
import { createLogger } from './logger.ts';

function setup() {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger('ingest', 'info', { write: (line) => void lines.push(JSON.parse(line)) });
  return { lines, log };
}

test('a line is JSON with the time, the level by name and the service', () => {
  const { lines, log } = setup();
  log.info({ event_id: 'e' }, 'event accepted');
  log.debug({}, 'not shown');
  expect(lines).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      service: 'ingest',
      event_id: 'e',
      msg: 'event accepted',
    },
  ]);
});

test('secrets are redacted wherever they stand, and line breaks stay inside one line', () => {
  const { lines, log } = setup();
  log.info(
    {
      secret: 's',
      client_secret: 's',
      endpoint: { secret: 's', client_key: 's' },
      auth: { token: 's', password: 's' },
      headers: { authorization: 'Bearer s', cookie: 's' },
      path: '/a\r\n{"x":1}',
    },
    'x',
  );
  expect(lines).toHaveLength(1);
  expect(JSON.stringify(lines)).not.toMatch(/"s"|Bearer/);
});
