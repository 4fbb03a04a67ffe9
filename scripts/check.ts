import { parseArgs } from 'node:util';
import { runCheck } from './static-checks.ts';

/** `npm run lint`, `npm run type-check`: one check, its faults and an exit code. */
const USAGE = `npm run lint [-- --fix]     style and common faults (Biome)
npm run type-check         types of all packages (tsc through Turborepo)`;

function parse() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      fix: { type: 'boolean', default: false },
      staged: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [name] = positionals;
  if (values.help) return undefined;
  if (name !== 'lint' && name !== 'type-check')
    throw new Error(`Which check? lint or type-check, not ${name}`);
  return { name, options: values } as const;
}

try {
  const asked = parse();
  if (!asked) console.log(USAGE);
  else {
    const { passed, output, tookMs } = await runCheck(asked.name, asked.options);
    if (output && !passed) console.error(output);
    console.log(`${asked.name}: ${passed ? 'passed' : 'failed'} in ${(tookMs / 1000).toFixed(1)} s`);
    process.exitCode = passed ? 0 : 1;
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
