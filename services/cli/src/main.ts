import { once } from 'node:events';
import { userInfo } from 'node:os';
import { systemClock } from '@posthorn/runtime';
import { runCommand } from './run-command.ts';

// Whoever reads may have enough: `posthorn audit export | head`.
process.stdout.on('error', () => process.exit(0));

process.exitCode = await runCommand(process.argv.slice(2), {
  environment: process.env,
  clock: systemClock,
  user: userName(),
  terminal: {
    async print(text) {
      if (!process.stdout.write(text)) await once(process.stdout, 'drain');
    },
    tell: (line) => process.stderr.write(`${line}\n`),
  },
});

/** Containers may run under a number that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.()}`;
  }
}
