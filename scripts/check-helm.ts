import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './checks/repository.ts';

/**
 * `npm run check:helm`: the chart with each values file of `helm/posthorn/ci` is linted, rendered and held against the
 * schemas of Kubernetes. The tools are built by Go at the first run, which takes minutes; without Go the check says
 * that it was skipped. `--if-installed` skips rather than builds.
 */
const TOOLS = {
  helm: 'helm.sh/helm/v3/cmd/helm@v3.21.4',
  'kubectl-validate': 'sigs.k8s.io/kubectl-validate@v0.0.4',
} as const;
/** The oldest that the chart supports, and one whose schemas kubectl-validate carries. */
const KUBERNETES = '1.30';
const CHART = join('helm', 'posthorn');
const bin = join(root, '.toolchain', 'go', 'bin');

type Tool = keyof typeof TOOLS;
type Result = { readonly passed: boolean; readonly stdout: string; readonly output: string };

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Result {
  const done = spawnSync(command, args, { cwd: root, env, encoding: 'utf8' });
  const output = done.error ? String(done.error) : `${done.stdout}${done.stderr}`.trim();
  return { passed: done.status === 0, stdout: done.stdout ?? '', output };
}

const runTool = (tool: Tool, ...args: string[]): Result => run(join(bin, tool), args);

/** Why the check can't be made, or undefined once the tools are there. */
function missingTools(mayBuild: boolean): string | undefined {
  const missing = (Object.keys(TOOLS) as Tool[]).filter((tool) => !existsSync(join(bin, tool)));
  if (missing.length === 0) return undefined;
  if (!mayBuild) return `${missing.join(' and ')} not built yet: npm run check:helm`;
  if (!run('go', ['version']).passed) return 'Go is not installed (it builds helm and kubectl-validate)';
  mkdirSync(bin, { recursive: true });
  for (const tool of missing) {
    console.log(`building ${TOOLS[tool]} into .toolchain/go/bin`);
    const built = run('go', ['install', TOOLS[tool]], { ...process.env, GOBIN: bin });
    if (!built.passed) throw new Error(`go install ${TOOLS[tool]} failed:\n${built.output}`);
  }
  return undefined;
}

function faultsWith(values: string, folder: string): string[] {
  const file = join(CHART, 'ci', values);
  const steps: (() => Result)[] = [
    () => runTool('helm', 'lint', CHART, '--strict', '--values', file),
    () => {
      const rendered = runTool(
        'helm',
        'template',
        'ci',
        CHART,
        '--kube-version',
        KUBERNETES,
        '--values',
        file,
      );
      writeFileSync(join(folder, values), rendered.stdout);
      return rendered;
    },
    () => runTool('kubectl-validate', '--version', KUBERNETES, join(folder, values)),
  ];
  for (const step of steps) {
    const { passed, output } = step();
    if (!passed) return [`${values}: ${output}`];
  }
  return [];
}

function faultsOfDefaults(): string[] {
  const { passed, output } = runTool('helm', 'template', 'ci', CHART, '--kube-version', KUBERNETES);
  return !passed && output.includes('existingSecret') ? [] : ['defaults: rendered without an existingSecret'];
}

const skipped = missingTools(!process.argv.includes('--if-installed'));
if (skipped) {
  console.log(`helm: skipped, ${skipped}`);
} else {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-helm-'));
  const values = readdirSync(join(root, CHART, 'ci'));
  const faults = [...values.flatMap((file) => faultsWith(file, folder)), ...faultsOfDefaults()];
  rmSync(folder, { recursive: true });
  for (const fault of faults) console.error(fault);
  console.log(`helm: ${faults.length === 0 ? 'passed' : 'failed'} with ${values.join(', ')}`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
