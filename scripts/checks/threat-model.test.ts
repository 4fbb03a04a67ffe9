import { expect, test } from 'vitest';
import { claimsIn, isThere, rowsOf } from './claims.ts';
import { exists, readText } from './repository.ts';

const MODEL = readText('docs/threat-model.md');
/** Spoofing, tampering, repudiation, information disclosure, denial of service, elevation of privilege. */
const STRIDE = ['S', 'T', 'R', 'I', 'D', 'E'];

interface Risk {
  readonly hop: string;
  readonly letters: readonly string[];
  readonly name: string;
  readonly files: readonly string[];
  readonly cell: string;
}

function risksOf(section: string): Risk[] {
  const hop = section.split('\n', 1)[0]!;
  return rowsOf(section).map(([letters = '', name = '', , where = '', tests = '']) => ({
    hop,
    letters: letters.split(' '),
    name,
    files: [...where.matchAll(/`([^`]+)`/g)].map(([, file]) => file!),
    cell: tests,
  }));
}

const hops = MODEL.split(/^### /m)
  .slice(1)
  .map((section) => section.split(/^## /m)[0]!);
const risks = hops.flatMap(risksOf);

test('each hop of the threat model says something of each kind of threat', () => {
  expect(hops.length).toBeGreaterThanOrEqual(8);
  for (const section of hops) {
    const letters = new Set(risksOf(section).flatMap((risk) => risk.letters));
    expect([section.split('\n', 1)[0], ...STRIDE.filter((letter) => !letters.has(letter))]).toHaveLength(1);
    expect([...letters].filter((letter) => !STRIDE.includes(letter))).toEqual([]);
  }
});

test('each risk names the file of what holds it, and that file is there', () => {
  expect(risks.filter(({ files }) => files.length === 0).map(({ name }) => name)).toEqual([]);
  expect(risks.flatMap(({ files }) => files).filter((file) => !exists(file))).toEqual([]);
});

test('each risk names a test that shows it, and that test is there', () => {
  const claims = risks.map(({ name, cell }) => claimsIn(name, cell));
  expect(risks.filter((_, i) => claims[i]!.length === 0).map(({ name }) => name)).toEqual([]);
  expect(claims.flat().filter((claim) => !isThere(claim))).toEqual([]);
});
