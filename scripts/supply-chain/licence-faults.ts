import type { InstalledPackage } from './installed-packages.ts';

/** Licences under which code may be shipped with ours (MIT): they ask for a notice, and for nothing of ours. */
const ALLOWED: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Python-2.0',
  'Unlicense',
]);

/** What has another one all the same, each with the reason. */
export const EXCEPTIONS: readonly {
  readonly name: RegExp;
  readonly licence: string;
  readonly why: string;
}[] = [
  {
    name: /^lightningcss(-|$)/,
    licence: 'MPL-2.0',
    why: 'Part of Vitest, unchanged; it is in no image and no package of ours.',
  },
];

/** Every package whose licence is neither allowed nor excepted. */
export function licenceFaults(packages: readonly InstalledPackage[]): string[] {
  return packages
    .filter(({ name, licence }) => !isAllowed(licence) && !isExcepted(name, licence))
    .map(({ name, version, licence }) => `${name}@${version} is under ${licence || 'no licence'}`);
}

/** Of `A OR B` one will do, of `A AND B` both are needed; the text is a list of alternatives, as SPDX nests no deeper here. */
function isAllowed(licence: string): boolean {
  const alternatives = licence.replace(/^\((.*)\)$/, '$1').split(' OR ');
  return alternatives.some((alternative) => alternative.split(' AND ').every((id) => ALLOWED.has(id.trim())));
}

const isExcepted = (name: string, licence: string): boolean =>
  EXCEPTIONS.some((exception) => exception.name.test(name) && exception.licence === licence);
