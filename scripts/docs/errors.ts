import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../checks/repository.ts';

interface ProblemEntry {
  readonly status: number;
  readonly when: string;
  readonly remedy: string;
}
type Catalogue = Readonly<Record<string, ProblemEntry>>;

const CATALOGUE = 'services/ingest/src/http/problem-catalogue.ts';

export async function loadProblems(): Promise<Catalogue> {
  const { PROBLEMS } = (await import(pathToFileURL(join(root, CATALOGUE)).href)) as { PROBLEMS: Catalogue };
  return PROBLEMS;
}

export function errorsPage(problems: Catalogue): string {
  const rows = Object.entries(problems).map(
    ([code, { status, when, remedy }]) => `| \`${code}\` | ${status} | ${cell(when)} | ${cell(remedy)} |`,
  );
  return `${HEAD}\n| code | status | when | what to do |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

const HEAD = `# Errors of the API

<!-- Generated from ${CATALOGUE} by \`npm run docs:generate\`; edit there. -->

Every error is a problem document ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457), \`application/problem+json\`).
Programs decide by \`code\`: it is stable, one per cause. \`title\` and \`detail\` are for people and may change.

\`\`\`json
{
  "type": "urn:posthorn:problem:invalid_request",
  "title": "The request has faults",
  "status": 400,
  "code": "invalid_request",
  "detail": "2 faults",
  "errors": [
    { "pointer": "/type", "detail": "is required" },
    { "pointer": "/labels/region", "detail": "must be a string of at most 128 characters without control characters" }
  ],
  "request_id": "req_x1y2z31"
}
\`\`\`

- \`errors\` lists every fault of the request at once (100 at most): where, as a JSON pointer into the body
  ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)) or \`?name\` for a query parameter, and what.
- \`request_id\` is in our log beside everything that we logged for the request.
- Every 429 and 503 has \`Retry-After\` in seconds. Nothing but these two statuses (and 500, with care) is worth repeating unchanged.
- An object of another tenant is answered exactly like one that never was: 404. So is a \`tenant_id\` that the key may not act for.

## Codes
`;
