import { Agent, request } from 'undici';
import { createRandom } from '../random.ts';
import { type ApiDocument, type Target, targetsOf } from './document.ts';
import { type DrawnRequest, drawRequest, type KnownIds } from './draw-request.ts';
import { type Answer, describeRequest, judgeAnswer, MAX_ANSWER_MS } from './judge-answer.ts';

export interface FuzzOptions {
  readonly url: string;
  readonly seed: number;
  readonly requestsPerOperation: number;
  readonly known: KnownIds;
  readonly keys: readonly string[];
  readonly say?: (line: string) => void;
}

export interface FuzzResult {
  readonly operations: number;
  readonly requests: number;
  /** How often each status was answered. */
  readonly statuses: ReadonlyMap<number, number>;
  readonly failures: readonly string[];
  /** Of the requests that were refused. */
  readonly requestIds: readonly string[];
  /** Requests that the server ended the connection of before their answer was read. */
  readonly closed: number;
}

const UNDER_WAY = 16;
const MAX_FAILURES = 20;

/**
 * Walks the document of a running service and sends hostile requests to every operation. The seed draws the same
 * requests again; what is there by then may differ.
 */
export async function runFuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { url, seed, known, keys, requestsPerOperation, say = () => {} } = options;
  const agent = new Agent({
    connections: UNDER_WAY,
    bodyTimeout: MAX_ANSWER_MS,
    headersTimeout: MAX_ANSWER_MS,
  });
  const document = await readDocument(agent, url);
  const targets = destructiveLast(targetsOf(document));
  const tally = createTally(codesOf(document));
  for (const [at, target] of targets.entries()) {
    const drawing = { random: createRandom(seed + at), known, keys };
    let left = requestsPerOperation;
    const work = async (): Promise<void> => {
      while (left > 0 && tally.failures.length < MAX_FAILURES) {
        left -= 1;
        const drawn = drawRequest(target, drawing);
        tally.note(target, drawn, await attempt(agent, url, drawn));
      }
    };
    await Promise.all(Array.from({ length: UNDER_WAY }, work));
    say(
      `${at + 1}/${targets.length} ${target.id}: ${tally.requests} requests, ${tally.failures.length} failures`,
    );
  }
  await agent.destroy();
  const { requests, statuses, failures, requestIds, closed } = tally;
  return { operations: targets.length, requests, statuses, failures, requestIds, closed };
}

/** So that there is something for the others to act on, and keys that are good. */
const destructiveLast = (targets: readonly Target[]): Target[] =>
  [...targets].sort((a, b) => Number(isDestructive(a)) - Number(isDestructive(b)));

const isDestructive = ({ method, id }: Target): boolean =>
  method === 'DELETE' || /^(revoke|changeTenant|changeKey|expunge)/.test(id);

type Attempted = Answer | 'closed' | { readonly error: string };

function createTally(codes: ReadonlySet<string>) {
  const statuses = new Map<number, number>();
  const failures: string[] = [];
  const requestIds: string[] = [];
  let requests = 0;
  let closed = 0;
  return {
    note(target: Target, drawn: DrawnRequest, attempted: Attempted): void {
      requests += 1;
      if (attempted === 'closed') {
        closed += 1;
        return;
      }
      const fault = 'error' in attempted ? attempted.error : judge(target, attempted);
      if (fault !== null) failures.push(`${target.id}: ${fault}\n  ${describeRequest(drawn)}`);
    },
    statuses,
    failures,
    requestIds,
    get requests() {
      return requests;
    },
    get closed() {
      return closed;
    },
  };

  function judge(target: Target, answer: Answer): string | null {
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    const id = answer.status < 400 ? undefined : /"request_id":"(req_[a-z0-9]+)"/.exec(answer.text)?.[1];
    if (id !== undefined) requestIds.push(id);
    return judgeAnswer(target, answer, codes);
  }
}

async function readDocument(agent: Agent, url: string): Promise<ApiDocument> {
  const { body } = await request(`${url}/openapi.json`, { dispatcher: agent });
  return (await body.json()) as ApiDocument;
}

const codesOf = ({ components }: ApiDocument): ReadonlySet<string> =>
  new Set((components.schemas.Problem?.properties?.code?.enum ?? []).map(String));

/** Ended by the server before it had read all of a body: the answer may be lost with the connection. */
const CLOSED = new Set(['UND_ERR_SOCKET', 'EPIPE', 'ECONNRESET']);

async function attempt(agent: Agent, url: string, drawn: DrawnRequest): Promise<Attempted> {
  const startedAt = performance.now();
  try {
    const { statusCode, headers, body } = await request(url + drawn.path, {
      dispatcher: agent,
      method: drawn.method as 'GET',
      headers: drawn.headers,
      body: drawn.body,
    });
    const text = await body.text();
    const tookMs = performance.now() - startedAt;
    return { status: statusCode, type: String(headers['content-type'] ?? ''), text, tookMs };
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string };
    return code !== undefined && CLOSED.has(code)
      ? 'closed'
      : { error: `no answer: ${code ?? ''} ${message}` };
  }
}
