import type { KeyRing } from '@posthorn/secrets';
import type { App, AppParts } from '../../http/app.ts';
import { changeWebhook, deleteWebhook, replaceWebhook } from './change.ts';
import { createWebhook } from './create.ts';
import type { OutcomeWaits } from './outcome-waits.ts';
import { getWebhook, listWebhooks } from './read.ts';
import { endGrace, rotateSecret } from './secret.ts';
import { testWebhook } from './send-test.ts';
import { pauseWebhook, resumeWebhook } from './state.ts';
import { webhookStats } from './stats.ts';
import { testFilter } from './test-filter.ts';
import { type Verification, verifyWebhook } from './verification/verify.ts';

export interface WebhookParts {
  readonly keyRing: KeyRing;
  /** What the names of our headers begin with. */
  readonly signatureHeaderPrefix: string;
  /** Why a URL may not be an endpoint, without asking DNS; null when it may. */
  readonly urlFault: (url: string) => string | null;
  /** Of requests that wait for what comes of a test. */
  readonly outcomeWaits: OutcomeWaits;
  /** Of receivers, before anything is sent to them. */
  readonly verification: Verification;
}

export function webhookRoutes(app: App, parts: AppParts): void {
  createWebhook(app, parts);
  getWebhook(app, parts);
  listWebhooks(app, parts);
  changeWebhook(app, parts);
  replaceWebhook(app, parts);
  deleteWebhook(app, parts);
  pauseWebhook(app, parts);
  resumeWebhook(app, parts);
  rotateSecret(app, parts);
  endGrace(app, parts);
  testWebhook(app, parts);
  verifyWebhook(app, parts);
  webhookStats(app, parts);
  testFilter(app, parts);
}
