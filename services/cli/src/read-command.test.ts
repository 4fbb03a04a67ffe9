import { describe, expect, test } from 'vitest';
import { readCommand } from './read-command.ts';

const HASH = 'ab'.repeat(32);

describe('a command', () => {
  test.each([[[]], [['--help']], [['audit', 'verify', '-h']]])('%j asks for help', (args) => {
    expect(readCommand(args)).toEqual({ name: 'help' });
  });

  test('makes a key with all scopes and without an end, or as it is told', () => {
    expect(readCommand(['keys', 'create-operator'])).toEqual({
      name: 'keys create-operator',
      keyName: '',
      scopes: ['admin'],
      expiresAt: null,
    });
    const told = ['--name', 'ci', '--scopes', 'manage, ingest', '--expires-at', '2027-01-01T01:00:00+01:00'];
    expect(readCommand(['keys', 'create-operator', ...told])).toEqual({
      name: 'keys create-operator',
      keyName: 'ci',
      scopes: ['ingest', 'manage'],
      expiresAt: new Date('2027-01-01T00:00:00Z'),
    });
  });

  test('re-encrypts, or only tries', () => {
    expect(readCommand(['secrets', 'status'])).toEqual({ name: 'secrets status' });
    expect(readCommand(['secrets', 'reencrypt'])).toEqual({ name: 'secrets reencrypt', dryRun: false });
    expect(readCommand(['secrets', 'reencrypt', '--dry-run'])).toMatchObject({ dryRun: true });
  });

  test('takes several pins', () => {
    const pins = ['--pin', `1:${HASH}`, '--pin', `20:${HASH}`];
    expect(readCommand(['audit', 'verify', ...pins])).toEqual({
      name: 'audit verify',
      pins: [
        { seq: 1, hash: HASH },
        { seq: 20, hash: HASH },
      ],
    });
  });

  test.each([
    [['audit'], '"audit" is no command'],
    [['audit', 'verify', 'now'], '"audit verify now" is no command'],
    [['audit', 'head', '--pin', `1:${HASH}`], 'audit head takes no --pin'],
    [['audit', 'verify', '--pin', '1'], '--pin takes what "audit head" prints'],
    [['audit', 'export', '--format', 'xml'], '--format takes ndjson or csv, not "xml"'],
    [['audit', 'export', '--since', 'yesterday'], '--since takes a time such as'],
    [
      ['keys', 'create-operator', '--scopes', 'root'],
      '--scopes takes ingest, read, manage, admin, not "root"',
    ],
    [['keys', 'create-operator', '--name', 'a\nb'], '--name takes at most'],
    [['audit', 'head', '--force'], "Unknown option '--force'"],
  ])('%j is refused', (args, message) => {
    expect(() => readCommand(args)).toThrow(message);
  });
});
