import { expect, test } from 'vitest';
import { commandEnvironment } from './command-environment.ts';

const FILES: Record<string, string> = {
  'database-url': 'postgres://127.0.0.1/local',
  'keys.json': '{"operatorKey":"phk_op_x","secretsKey":"the key of the machine"}',
};
const kept = (name: string) => FILES[name];

test('a command without a Postgres goes to the running system, with the key that its services have', () => {
  const env = commandEnvironment({ PATH: '/bin', SECRETS_KEYS: 'a ring' }, kept);
  expect(env).toEqual({
    PATH: '/bin',
    SECRETS_KEYS: 'a ring',
    DATABASE_URL: 'postgres://127.0.0.1/local',
    SECRETS_KEY: 'the key of the machine',
  });
  expect(commandEnvironment({ SECRETS_KEY: 'mine' }, kept).SECRETS_KEY).toBe('mine');
  expect(commandEnvironment({ SECRETS_KEY_FILE: '/key' }, kept).SECRETS_KEY).toBeUndefined();
});

test.each([{ DATABASE_URL: 'postgres://elsewhere/x' }, { DATABASE_URL_FILE: '/run/url' }])(
  'a command that is told of another Postgres, by %j, gets no key of the machine',
  (env) => {
    expect(commandEnvironment(env, kept)).toEqual(env);
  },
);

test('a command beside no system gets what it was given', () => {
  const env = commandEnvironment({ PATH: '/bin' }, () => undefined);
  expect(env.DATABASE_URL).toBeUndefined();
  expect(env.SECRETS_KEY).toBeUndefined();
});
