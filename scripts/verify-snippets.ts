import { readText } from './checks/repository.ts';
import { extractSnippets } from './snippets/extract-snippets.ts';
import { LANGUAGES } from './snippets/languages.ts';
import { runSnippet } from './snippets/run-snippet.ts';
import { verifyCases } from './snippets/verify-cases.ts';

/**
 * `npm run verify-snippets`: the blocks of docs/guides/verify.md, each compiled and run over the vectors. Those whose
 * toolchain is missing are named and skipped; with `--all` that fails. Rust and C# fetch what they are built of.
 */
const mustRunAll = process.argv.includes('--all');
const snippets = extractSnippets(readText('docs/guides/verify.md'));
const cases = verifyCases();
let failed = false;

for (const language of LANGUAGES) {
  const snippet = snippets.get(language.name);
  const run = snippet === undefined ? null : runSnippet(language, snippet, cases);
  const faults = run?.kind === 'ran' ? run.faults : [];
  const said = run === null ? 'is not in the guide' : describeRun(run.kind, faults, language.probe[0]);
  console.log(`${language.name}: ${said}`);
  failed ||= run === null || faults.length > 0 || (mustRunAll && run.kind === 'skipped');
}
process.exitCode = failed ? 1 : 0;

function describeRun(kind: 'ran' | 'skipped', faults: readonly string[], program: string): string {
  if (kind === 'skipped') return `skipped: ${program} is not installed`;
  return faults.length === 0 ? `${cases.length} cases passed` : `failed\n  ${faults.join('\n  ')}`;
}
