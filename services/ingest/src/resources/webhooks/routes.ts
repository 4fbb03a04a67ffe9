import type { SecretsKey } from '@posthorn/tenant-config';
import type { App, AppParts } from '../../http/app.ts';
import { changeWebhook, deleteWebhook, replaceWebhook } from './change.ts';
import { createWebhook } from './create.ts';
import { getWebhook, listWebhooks } from './read.ts';
import { endGrace, rotateSecret } from './secret.ts';
import { pauseWebhook, resumeWebhook } from './state.ts';

export interface WebhookParts {
  readonly secretsKey: SecretsKey;
  /** Why a URL may not be an endpoint, without asking DNS; null when it may. */
  readonly urlFault: (url: string) => string | null;
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
}
