import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { filesOf, readText, root } from './checks/repository.ts';
import { installedPackages } from './supply-chain/installed-packages.ts';
import { licenceFaults } from './supply-chain/licence-faults.ts';
import { catalogFaults, lockfileFaults, manifestFaults } from './supply-chain/lockfile-faults.ts';
import { imageFaults, workflowFaults } from './supply-chain/workflow-faults.ts';
import { writeSboms } from './supply-chain/write-sboms.ts';

const USAGE = `npm run check:supply-chain                    everything, the registry's advisories included
npm run check:supply-chain -- --offline       what needs no registry (it is a part of npm test, too)
npm run check:supply-chain -- --sbom <folder> writes the bills of materials of images and packages there as well`;

/** Advisories of this weight and above stop a change. */
const AUDIT_LEVEL = 'moderate';

interface Step {
  readonly name: string;
  readonly needsRegistry: boolean;
  /** What is wrong. */
  run(): string[];
}

const STEPS: readonly Step[] = [
  {
    name: 'lockfile: from the registry alone, by hash',
    needsRegistry: false,
    run: () => [
      ...lockfileFaults(readText('pnpm-lock.yaml')),
      ...catalogFaults(readText('pnpm-workspace.yaml')),
      ...filesOf('package.json', '*/package.json', '{packages,services}/*/package.json').flatMap((path) =>
        manifestFaults(path, readText(path)),
      ),
    ],
  },
  {
    name: 'licences: allowed, or excepted with a reason',
    needsRegistry: false,
    run: () => licenceFaults(installedPackages(root)),
  },
  {
    name: 'workflows: actions by commit, no more rights than needed',
    needsRegistry: false,
    run: () =>
      filesOf('.github/workflows/*.yml').flatMap((path) =>
        workflowFaults(readText(path)).map((fault) => `${path}: ${fault}`),
      ),
  },
  {
    name: 'images: by digest',
    needsRegistry: false,
    run: () =>
      ['infra/service.Dockerfile', 'infra/compose.yaml'].flatMap((path) => imageFaults(readText(path))),
  },
  {
    name: 'ages: every version of the lockfile is old enough',
    needsRegistry: true,
    run: () =>
      faultsOfPnpm('install', '--frozen-lockfile', '--lockfile-only', '--config.trustLockfile=false'),
  },
  {
    name: `advisories: none of weight ${AUDIT_LEVEL} or above`,
    needsRegistry: true,
    run: () => faultsOfPnpm('audit', '--audit-level', AUDIT_LEVEL),
  },
];

function faultsOfPnpm(...args: string[]): string[] {
  const done = spawnSync('pnpm', args, { cwd: root, encoding: 'utf8' });
  if (done.status === 0) return [];
  return [done.error ? String(done.error) : `${done.stdout}${done.stderr}`.trim()];
}

function runSteps(isOffline: boolean): boolean {
  let passed = true;
  for (const { name, needsRegistry, run } of STEPS) {
    if (needsRegistry && isOffline) {
      console.log(`skipped  ${name} (--offline)`);
      continue;
    }
    const faults = run();
    console.log(`${faults.length === 0 ? 'passed' : 'FAILED'}   ${name}`);
    for (const fault of faults) console.error(fault);
    passed &&= faults.length === 0;
  }
  return passed;
}

const { values } = parseArgs({
  options: {
    offline: { type: 'boolean', default: false },
    sbom: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(USAGE);
} else {
  const passed = runSteps(values.offline);
  if (values.sbom !== undefined) {
    const { version } = JSON.parse(readText('package.json')) as { version: string };
    const files = await writeSboms({ root, folder: resolve(root, values.sbom), version });
    console.log(`written  ${files.length} bills of materials in ${values.sbom}`);
  }
  process.exitCode = passed ? 0 : 1;
}
