import { expect, it } from 'vitest';
import { parseOptions } from './options.ts';

it('shows the demo on port 3000 when nothing is asked for', () => {
  expect(parseOptions([])).toEqual({
    help: false,
    quiet: false,
    demo: true,
    fresh: false,
    watch: false,
    port: 3000,
  });
});

it('takes each of its flags', () => {
  expect(parseOptions(['--quiet', '--no-demo', '--fresh', '--port', '3001'])).toMatchObject({
    quiet: true,
    demo: false,
    fresh: true,
    port: 3001,
  });
});

it.each(['0', '65536', '3000x', ''])('refuses %j as a port and says what it takes', (port) => {
  expect(() => parseOptions([`--port=${port}`])).toThrow('--port takes a number from 1 to 65535');
});

it('refuses a flag that there is not', () => {
  expect(() => parseOptions(['--prot', '3001'])).toThrow('--prot');
});
