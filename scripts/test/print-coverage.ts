import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Say } from '../infra/kafka-jars.ts';

type Share = { readonly covered: number; readonly total: number };
type Measured = { readonly lines: Share; readonly branches: Share };

/** One line per package for what Vitest measured; its thresholds decide, this only shows. */
export async function printCoverage(root: string, say: Say): Promise<void> {
  const text = await readFile(join(root, 'coverage', 'coverage-summary.json'), 'utf8').catch(() => undefined);
  if (!text) return;
  const { total: _all, ...files } = JSON.parse(text) as Record<string, Measured>;
  for (const [name, { lines, branches }] of byPackage(root, files))
    say(`coverage of ${name}: lines ${percent(lines)}, branches ${percent(branches)}`);
}

export function byPackage(root: string, files: Readonly<Record<string, Measured>>): Map<string, Measured> {
  const packages = new Map<string, Measured>();
  for (const [file, measured] of Object.entries(files)) {
    const name = relative(root, file).split('/').slice(0, 2).join('/');
    const before = packages.get(name);
    packages.set(name, {
      lines: add(before?.lines, measured.lines),
      branches: add(before?.branches, measured.branches),
    });
  }
  return packages;
}

function add(a: Share | undefined, b: Share): Share {
  return { covered: (a?.covered ?? 0) + b.covered, total: (a?.total ?? 0) + b.total };
}

function percent({ covered, total }: Share): string {
  return `${total === 0 ? 100 : Math.floor((covered / total) * 1000) / 10} %`;
}
