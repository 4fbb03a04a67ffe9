import { expect, test } from 'vitest';
import { filesOf, readText } from './repository.ts';

/** Texts in the first column of a table; `…` stands for a part that varies. */
function symptomsOf(markdown: string): string[] {
  const firstCells = [...markdown.matchAll(/^\|((?:[^|\\]|\\.)*)\|/gm)].map((match) => match[1]!);
  return firstCells.flatMap((cell) => [...cell.matchAll(/"([^"]+)"/g)].map((match) => match[1]!));
}

/** How a text stands in code: `…` is a placeholder there, and back-ticks may be escaped. */
const fixedParts = (symptom: string): string[] => symptom.split('…').filter((part) => /[a-z]{2}/i.test(part));

test('each message that the troubleshooting page names is said by the code', () => {
  const paths = filesOf('{services,packages}/*/src/**/*.ts', 'scripts/**/*.{ts,mjs}');
  const code = paths.filter((path) => !path.startsWith('scripts/checks/')).map(readText);
  const text = code.join('\n').replaceAll("\\'", "'").replaceAll('\\`', '`');
  const symptoms = symptomsOf(readText('docs/troubleshooting.md'));
  expect(symptoms.length).toBeGreaterThan(20);
  expect(symptoms.filter((symptom) => !fixedParts(symptom).every((part) => text.includes(part)))).toEqual([]);
});
