import { reportHealth } from '@posthorn/runtime';
import Type from 'typebox';
import type { App, AppParts } from './app.ts';
import { operation } from './operation.ts';

const State = Type.Union([Type.Literal('up'), Type.Literal('down')]);
const Report = Type.Object(
  {
    status: Type.Enum(['ok', 'degraded', 'down']),
    components: Type.Record(Type.String(), State),
  },
  { title: 'Health', examples: [{ status: 'ok', components: { kafka: 'up', postgres: 'up' } }] },
);

/** `/health` says how it is and is always 200; `/readyz` is 503 while a component that is needed is down. */
export function healthRoutes(app: App, parts: Pick<AppParts, 'checks' | 'isReady'>): void {
  app.get('/livez', async () => ({ status: 'ok' }));
  const declared = operation({
    id: 'getHealth',
    tag: 'System',
    summary: 'How the API is',
    description: 'Always 200, also while it is degraded. Without a key.',
    access: null,
    answers: { 200: Report },
  });
  for (const prefix of ['/v1', '']) {
    app.get(`${prefix}/health`, declared, () => reportHealth(parts.checks));
  }
  app.get('/readyz', { schema: { response: { 200: Report, 503: Report } } }, async (_request, reply) => {
    const report = await reportHealth(parts.checks);
    const isReady = parts.isReady() && report.status !== 'down';
    return reply.code(isReady ? 200 : 503).send(report);
  });
}
