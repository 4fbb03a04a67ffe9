import type { EndpointStats } from '@posthorn/db';
import Type, { type Static } from 'typebox';
import type { App, AppParts } from '../../http/app.ts';
import { WEBHOOK } from '../../http/examples.ts';
import { WebhookParams } from '../../http/fields.ts';
import { EVERYBODY, operation } from '../../http/operation.ts';
import { sendProblem } from '../../http/problem.ts';
import { Nullable } from '../../http/validation.ts';
import { findWebhook, unknownWebhook } from './find-webhook.ts';

const NullableNumber = Nullable(Type.Number());

const WindowStats = Type.Object(
  {
    attempts: Type.Integer(),
    succeeded: Type.Integer({ description: 'Attempts that were answered with 2xx.' }),
    success_rate: Nullable(
      Type.Number({ minimum: 0, maximum: 1, description: 'Of attempts; null where there were none.' }),
    ),
    dead_letters: Type.Integer(),
    latency_ms: Type.Object(
      { p50: NullableNumber, p95: NullableNumber, p99: NullableNumber },
      { description: 'Of attempts, within the accuracy of the buckets they are counted in.' },
    ),
    by_status_class: Type.Record(Type.String(), Type.Integer(), {
      description: 'Attempts by `2xx` … `5xx`, and `none` for those without an answer.',
    }),
  },
  { title: 'WindowStats' },
);

const EXAMPLE = {
  attempts: 1_204,
  succeeded: 1_190,
  success_rate: 0.988,
  dead_letters: 0,
  latency_ms: { p50: 48, p95: 210, p99: 900 },
  by_status_class: { '2xx': 1_190, '5xx': 11, none: 3 },
};

const WebhookStats = Type.Object(
  {
    webhook_id: Type.String(),
    stats: Type.Object({ '1h': WindowStats, '24h': WindowStats, '7d': WindowStats }),
  },
  {
    title: 'WebhookStats',
    examples: [{ webhook_id: WEBHOOK, stats: { '1h': EXAMPLE, '24h': EXAMPLE, '7d': EXAMPLE } }],
  },
);

export function webhookStats(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'getWebhookStats',
    tag: 'Webhooks',
    summary: 'Get success, latency and statuses of a webhook',
    description: 'Over the last hour, day and week. Counts are some seconds old.',
    access: { scope: 'read', callers: EVERYBODY },
    params: WebhookParams,
    answers: { 200: WebhookStats },
    problems: ['webhook_not_found'],
  });
  app.get('/webhooks/:webhook_id/stats', declared, async (request, reply) => {
    const { webhook_id: endpointId } = request.params;
    const found = await findWebhook(parts, request.caller, endpointId);
    if (found === null) return sendProblem(reply, unknownWebhook(endpointId));
    const [hour, day, week] = await parts.store.endpointStats(found, STATS_WINDOWS_MS, parts.clock.nowMs());
    return reply.send({
      webhook_id: endpointId,
      stats: { '1h': viewStats(hour!), '24h': viewStats(day!), '7d': viewStats(week!) },
    });
  });
}

const HOUR_MS = 3_600_000;
const STATS_WINDOWS_MS = [HOUR_MS, 24 * HOUR_MS, 7 * 24 * HOUR_MS];

function viewStats(stats: EndpointStats): Static<typeof WindowStats> {
  return {
    attempts: stats.attempts,
    succeeded: stats.succeeded,
    success_rate: stats.successRate,
    dead_letters: stats.deadLetters,
    latency_ms: { p50: stats.latencyMs.p50, p95: stats.latencyMs.p95, p99: stats.latencyMs.p99 },
    by_status_class: { ...stats.byStatusClass },
  };
}
