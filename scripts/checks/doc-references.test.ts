import { expect, test } from 'vitest';
import { anchorsOf, brokenReferences } from './doc-references.ts';
import { exists, filesOf, readText } from './repository.ts';

const files: Readonly<Record<string, string>> = {
  'README.md': '# Posthorn\n\n## Two commands\n',
  'docs/design.md': '# Design',
  'packages/kafka': '',
};
const repository = { exists: (path: string) => path in files, read: (path: string) => files[path] };
const broken = (text: string): string[] => brokenReferences({ path: 'docs/a.md', text }, repository);

test('every relative link, anchor and repository path in the documents leads somewhere', () => {
  const docs = filesOf('*.md', '{docs,packages,services,infra,helm,scripts,bench,.github}/**/*.md');
  expect(docs.length).toBeGreaterThan(5);
  const read = (path: string) => (path.endsWith('.md') ? readText(path) : undefined);
  expect(docs.flatMap((path) => brokenReferences({ path, text: readText(path) }, { exists, read }))).toEqual(
    [],
  );
});

test('a link to a file that is not there is reported', () => {
  expect(broken('[a](design.md) [b](missing.md) [c](../README.md)')).toEqual(['docs/a.md: link missing.md']);
});

test('a link to a heading that is not there is reported', () => {
  expect(broken('[a](../README.md#two-commands) [b](../README.md#three-commands)')).toEqual([
    'docs/a.md: link ../README.md#three-commands',
  ]);
});

test('a code span that looks like a path of the repository must exist', () => {
  expect(broken('`packages/kafka` `packages/gone` `services/<name>/src` `and/or`')).toEqual([
    'docs/a.md: path packages/gone',
  ]);
});

test('addresses elsewhere and code blocks are not followed', () => {
  expect(broken('[a](https://example.com/x)\n```\n[b](gone.md) `docs/gone.md`\n```\n')).toEqual([]);
});

test('anchors are those GitHub makes, twins numbered', () => {
  expect([...anchorsOf('# A `b` & c\n## Twin\n## Twin\n')]).toEqual(['a-b--c', 'twin', 'twin-1']);
});
