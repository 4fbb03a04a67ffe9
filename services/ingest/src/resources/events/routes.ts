import type { App, AppParts } from '../../http/app.ts';
import { postBatch } from './batch.ts';
import { postEvent } from './post.ts';
import { getEvent, listEvents } from './read.ts';
import { replayEvent } from './replay.ts';

export function eventRoutes(app: App, parts: AppParts): void {
  void app.register(async (scope) => postEvent(scope as App, parts));
  void app.register(async (scope) => postBatch(scope as App, parts));
  listEvents(app, parts);
  getEvent(app, parts);
  replayEvent(app, parts);
}
