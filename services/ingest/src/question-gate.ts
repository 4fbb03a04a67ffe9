import { within } from '@posthorn/db';
import { createPlaces } from './places.ts';

/** Of one pool of connections, of all tenants: under way, or waiting for a connection. */
export const MAX_QUESTIONS = 200;
/** Of the pool for events with a key or an id of their sender's: they are short. */
export const MAX_CLAIM_QUESTIONS = 600;
/** … of which one tenant has at most. */
export const MAX_CLAIM_QUESTIONS_OF_TENANT = 200;

/**
 * Bounds the questions to Postgres. Whoever has waited too long goes away, but his question is still with the driver,
 * and will be put and answered for nobody: so it counts until then, and what comes beyond the bound is refused at once
 * instead of making a queue of questions that nobody waits for any more.
 */
export interface QuestionGate {
  /**
   * Within `timeoutMs`. `tenantId` where no tenant may have them all.
   * @throws TooManyQuestionsError
   * @throws DatabaseTimeoutError
   */
  ask<T>(timeoutMs: number, question: () => Promise<T>, tenantId?: string): Promise<T>;
  readonly underWay: number;
}

export class TooManyQuestionsError extends Error {
  override name = 'TooManyQuestionsError';
}

export function createQuestionGate(max: number, maxOfTenant = max): QuestionGate {
  const places = createPlaces(max, maxOfTenant);
  return {
    async ask(timeoutMs, question, tenantId = '') {
      if (!places.take(tenantId))
        throw new TooManyQuestionsError(`${places.taken} questions to Postgres are under way`);
      return within(
        timeoutMs,
        question().finally(() => places.give(tenantId)),
      );
    },
    get underWay() {
      return places.taken;
    },
  };
}
