import type { Target } from './document.ts';
import type { DrawnRequest } from './draw-request.ts';

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly tookMs: number;
}

/** Nothing may take longer, a request that waits for another included. */
export const MAX_ANSWER_MS = 20_000;

/** What is wrong with an answer; null when nothing is. `codes` are those of the catalogue of problems. */
export function judgeAnswer(target: Target, answer: Answer, codes: ReadonlySet<string>): string | null {
  const { status, type, text, tookMs } = answer;
  if (status >= 500 && status !== 503) return `answered ${status}: ${text.slice(0, 300)}`;
  if (tookMs > MAX_ANSWER_MS) return `took ${Math.round(tookMs)} ms`;
  if (status < 400) return target.statuses.has(status) ? null : `answers ${status}, which is not documented`;
  if (!type.startsWith('application/problem+json')) return `answered ${status} as ${type}`;
  const code = readCode(text);
  if (code === null || !codes.has(code))
    return `answered a problem without a known code: ${text.slice(0, 300)}`;
  const isOfPath = status === 404 || status === 405 || status === 431 || status === 408;
  return isOfPath || target.statuses.has(status)
    ? null
    : `answers ${status} ${code}, which is not documented`;
}

function readCode(text: string): string | null {
  try {
    const { code } = JSON.parse(text) as { code?: unknown };
    return typeof code === 'string' ? code : null;
  } catch {
    return null;
  }
}

/** So that a failure can be sent again by hand. */
export function describeRequest({ method, path, headers, body }: DrawnRequest): string {
  const shown = Object.entries(headers)
    .filter(([name]) => name !== 'authorization')
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  return `${method} ${path.slice(0, 300)} ${shown.join(', ')} ${body ? JSON.stringify(body.toString('latin1').slice(0, 500)) : ''}`;
}
