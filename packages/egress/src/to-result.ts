import { classifyError, isConnectionError } from './classify-error.ts';
import type { DialFailure } from './dial-failure.ts';
import type { Exchanged } from './exchange.ts';
import type { FailedSend, SendResult, SendTiming } from './outbound.ts';

/** The one failure that costs no attempt: the receiver had closed the idle connection before anything was written. */
export function isUnsentOnStale(exchanged: Exchanged): boolean {
  return exchanged.kind === 'error' && !exchanged.sent && isConnectionError(exchanged.error);
}

/** What `send` gives back for what came of the exchange. */
export function toResult(exchanged: Exchanged, endedByReceiver: boolean, timing: SendTiming): SendResult {
  switch (exchanged.kind) {
    case 'response': {
      const { status, headers, body, truncated } = exchanged;
      const retryAfter = headers['retry-after'];
      return {
        kind: 'response',
        status,
        headers,
        body,
        truncated,
        ...(typeof retryAfter === 'string' ? { retryAfter } : {}),
        timing,
      };
    }
    case 'timeout':
      return toFailure(DEADLINE_PASSED, timing, exchanged.sent, exchanged.status);
    case 'withheld':
      return { kind: 'withheld', timing };
    case 'overlong':
      return toFailure(OVERLONG, timing, true);
    case 'bad_status':
      return toFailure({ ...BAD_STATUS, operatorDetail: `status ${exchanged.received}` }, timing, true);
    case 'error':
      return toFailure(
        classifyError(exchanged.error, endedByReceiver),
        timing,
        exchanged.sent,
        exchanged.status,
      );
    default:
      return exchanged satisfies never;
  }
}

const DEADLINE_PASSED: DialFailure = {
  failure: 'timeout',
  detail: 'no complete response within the deadline',
  operatorDetail: 'deadline',
};
const OVERLONG: DialFailure = {
  failure: 'response_too_large',
  detail: 'the response does not come to its headers',
  operatorDetail: 'bytes before a status',
};
const BAD_STATUS = { failure: 'protocol', detail: 'the response has no valid status' } as const;

export function toFailure(
  { failure, detail, operatorDetail, atProxy }: DialFailure,
  timing: SendTiming,
  sentAnyBytes = false,
  status: number | null = null,
): FailedSend {
  return {
    kind: 'failure',
    failure,
    detail,
    operatorDetail,
    sentAnyBytes,
    timing,
    ...(status === null ? {} : { status }),
    ...(atProxy ? { atProxy } : {}),
  };
}
