/** The first block of code under each heading of the second level, by the heading. */
export function extractSnippets(markdown: string): ReadonlyMap<string, string> {
  const sections = markdown.split(/^## /m).slice(1);
  return new Map(
    sections.flatMap((section) => {
      const heading = section.slice(0, section.indexOf('\n'));
      const code = /^```\w+\n([\s\S]*?)^```$/m.exec(section)?.[1];
      return code === undefined ? [] : [[heading, code] as const];
    }),
  );
}
