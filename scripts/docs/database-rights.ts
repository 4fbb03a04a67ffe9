import { SERVICE_ROLES, TABLE_RIGHTS } from '@posthorn/db';

const WORDS: Readonly<Record<string, string>> = {
  select: 'read',
  insert: 'add',
  update: 'change',
  delete: 'remove',
};
const SPAN = /<!-- rights -->[\s\S]*<!-- \/rights -->/;

/** The guide with its table of rights as they are in the code. */
export function withRights(page: string): string {
  if (!SPAN.test(page)) throw new Error('the guide has no place for the table of rights');
  return page.replace(SPAN, () => `<!-- rights -->\n${rightsTable()}\n<!-- /rights -->`);
}

function rightsTable(): string {
  const lines = Object.entries(TABLE_RIGHTS)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([table, rights]) =>
      lineOf([`\`${table}\``, ...SERVICE_ROLES.map((role) => inWords(rights[role] ?? []))]),
    );
  return [
    lineOf(['table', ...SERVICE_ROLES]),
    lineOf(['---', ...SERVICE_ROLES.map(() => '---')]),
    ...lines,
  ].join('\n');
}

const lineOf = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function inWords(rights: readonly string[]): string {
  return rights
    .map((right) => {
      const [, verb = '', columns] = /^(\w+)(?:\((.+)\))?$/.exec(right) ?? [];
      return columns === undefined ? WORDS[verb]! : `${WORDS[verb]!} (${columns.replace(/\w+/g, '`$&`')})`;
    })
    .join(', ');
}
