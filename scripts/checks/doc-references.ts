import { dirname, join, normalize } from 'node:path/posix';

export interface DocFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Repository {
  exists(path: string): boolean;
  /** The text of a Markdown file, undefined for anything else. */
  read(path: string): string | undefined;
}

const LINK = /\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g;
const CODE_SPAN = /`([^`\n]+)`/g;
/** What looks like a path of this repository: a top folder, then no placeholder, glob or space. */
const REPOSITORY_PATH =
  /^(?:packages|services|docs|infra|helm|scripts|bench|patches|\.github|\.ci)\/[\w./@-]+$/;

/** Every relative link, heading anchor and `repository/path` of a document that leads nowhere, as one line each. */
export function brokenReferences(doc: DocFile, repository: Repository): string[] {
  const prose = withoutCodeBlocks(doc.text);
  const links = [...withoutCodeSpans(prose).matchAll(LINK)].map((match) => match[1]!);
  const paths = [...prose.matchAll(CODE_SPAN)]
    .map((match) => match[1]!)
    .filter((it) => REPOSITORY_PATH.test(it));
  return [
    ...links
      .filter((link) => !leadsSomewhere(doc, link, repository))
      .map((link) => `${doc.path}: link ${link}`),
    ...paths.filter((path) => !repository.exists(normalize(path))).map((path) => `${doc.path}: path ${path}`),
  ];
}

function leadsSomewhere(doc: DocFile, link: string, repository: Repository): boolean {
  if (/^[a-z][a-z+.-]*:/.test(link)) return true;
  const [path = '', anchor] = decodeURI(link).split('#', 2);
  const target = path === '' ? doc.path : normalize(join(dirname(doc.path), path));
  if (!repository.exists(target)) return false;
  if (!anchor) return true;
  const text = target === doc.path ? doc.text : repository.read(target);
  return text === undefined || anchorsOf(text).has(anchor);
}

/** Anchors as GitHub makes them from headings. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading] of withoutCodeBlocks(markdown).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const slug = heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    let anchor = slug;
    for (let twin = 1; anchors.has(anchor); twin++) anchor = `${slug}-${twin}`;
    anchors.add(anchor);
  }
  return anchors;
}

const withoutCodeBlocks = (markdown: string): string => markdown.replace(/^(```|~~~)[\s\S]*?^\1/gm, '');
const withoutCodeSpans = (markdown: string): string => markdown.replace(CODE_SPAN, '``');
