import type { App, AppParts } from '../../http/app.ts';
import { changeEventTypes } from './change.ts';
import { importEventTypes } from './import.ts';
import { readEventTypes } from './read.ts';

export function eventTypeRoutes(app: App, parts: AppParts): void {
  readEventTypes(app, parts);
  changeEventTypes(app, parts);
  importEventTypes(app, parts);
}
