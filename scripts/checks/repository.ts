import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The checkout that holds this script. */
export const root = resolve(import.meta.dirname, '../..');

const MADE = new Set(['node_modules', '.toolchain', '.posthorn', '.turbo', '.git', 'coverage', 'dist']);

/** Files of the checkout that match, as paths from its root, in order; what the tools made is left out. */
export function filesOf(...patterns: string[]): string[] {
  const found = globSync(patterns, { cwd: root, exclude: (name) => MADE.has(name) });
  return found.map((path) => path.replaceAll('\\', '/')).sort();
}

export const readText = (path: string): string => readFileSync(join(root, path), 'utf8');
export const exists = (path: string): boolean => existsSync(join(root, path));
