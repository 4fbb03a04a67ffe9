import { systemClock } from '@posthorn/runtime';
import { runSetUp } from './run-set-up.ts';

process.exitCode = await runSetUp(process.argv.slice(2), process.env, systemClock, {
  say: (line) => process.stdout.write(`${line}\n`),
  complain: (line) => process.stderr.write(`${line}\n`),
});
