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
  /** Operations to leave out: what would end the run, with the reason. */
  readonly except?: Readonly<Record<string, string>>;
  readonly say?: (line: string) => void;
}

export interface FuzzResult {
  readonly operations: number;
  readonly requests: number;
  /** How often each status was answered. */
  readonly statuses: ReadonlyMap<number, number>;
  readonly failures: readonly string[];
}

const UNDER_WAY = 16;
const MAX_FAILURES = 20;

/** Walks the document of a running service and sends hostile requests to every operation; the seed draws the same again. */
export async function runFuzz(options: FuzzOptions): Promise<FuzzResult> {
  const agent = new Agent({
    connections: UNDER_WAY,
    pipelining: 1,
    bodyTimeout: MAX_ANSWER_MS,
    headersTimeout: MAX_ANSWER_MS,
  });
  const answered = await request(`${options.url}/openapi.json`, { dispatcher: agent });
  const document = (await answered.body.json()) as ApiDocument;
  const targets = targetsOf(document).filter(({ id }) => !Object.hasOwn(options.except ?? {}, id));
  const codes = new Set(codesOf(document));
  const statuses = new Map<number, number>();
  const failures: string[] = [];
  let requests = 0;
  for (const [at, target] of targets.entries()) {
    const random = createRandom(options.seed + at);
    let left = options.requestsPerOperation;
    const drawing = { random, known: options.known, keys: options.keys };
    const work = async (): Promise<void> => {
      while (left > 0 && failures.length < MAX_FAILURES) {
        left -= 1;
        const drawn = drawRequest(target, drawing);
        const fault = await sendOne(agent, options.url, target, drawn, codes, statuses);
        requests += 1;
        if (fault) failures.push(`${target.id}: ${fault}\n  ${describeRequest(drawn)}`);
      }
    };
    await Promise.all(Array.from({ length: UNDER_WAY }, work));
    options.say?.(
      `${target.id}: ${at + 1}/${targets.length}, ${requests} requests, ${failures.length} failures`,
    );
  }
  await agent.destroy();
  return { operations: targets.length, requests, statuses, failures };
}

function codesOf({ components }: ApiDocument): string[] {
  return (components.schemas.Problem?.properties?.code?.enum ?? []).map(String);
}

async function sendOne(
  agent: Agent,
  url: string,
  target: Target,
  drawn: DrawnRequest,
  codes: ReadonlySet<string>,
  statuses: Map<number, number>,
): Promise<string | null> {
  try {
    const answer = await send(agent, url, drawn);
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    return judgeAnswer(target, answer, codes);
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string };
    // Ended by the server before it had read all of the body: it has answered, or the request was no HTTP.
    if (code === 'UND_ERR_SOCKET' || code === 'EPIPE' || code === 'ECONNRESET') return null;
    return `no answer: ${code ?? ''} ${message}`;
  }
}

async function send(agent: Agent, url: string, drawn: DrawnRequest): Promise<Answer> {
  const startedAt = performance.now();
  const { statusCode, headers, body } = await request(url + drawn.path, {
    dispatcher: agent,
    method: drawn.method as 'GET',
    headers: drawn.headers,
    body: drawn.body,
  });
  const text = await body.text();
  const tookMs = performance.now() - startedAt;
  return { status: statusCode, type: String(headers['content-type'] ?? ''), text, tookMs };
}
