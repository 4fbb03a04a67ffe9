import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runStep } from './step.mjs';

/**
 * Lets lefthook.yml run before commits. A clone without it works too, so a failure is told and no more.
 * @param {string} root
 * @param {import('./toolchain.mjs').Toolchain} toolchain
 */
export async function installHooks(root, toolchain) {
  if (process.env.CI || !existsSync(join(root, '.git'))) return;
  try {
    await runStep('No hooks', toolchain.node, ['node_modules/lefthook/bin/index.js', 'install'], {
      cwd: root,
      env: toolchain.env,
    });
  } catch (error) {
    console.log(
      `The checks before a commit are not installed (${error instanceof Error ? error.message : error})`,
    );
  }
}
