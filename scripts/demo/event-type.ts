import { type Api, ApiError } from './api.ts';

const ORDER_CREATED = {
  name: 'order.created',
  description: 'An order was placed.',
  enforcement: 'warn',
  schema: {
    type: 'object',
    required: ['number'],
    properties: { number: { type: 'integer', minimum: 1 }, total: { type: 'string' } },
  },
  examples: [{ number: 17, total: '124.95 EUR' }],
};

/** One type in the catalogue, which only warns: whoever tries events of his own is refused nothing. */
export async function ensureDemoEventType(api: Api): Promise<void> {
  try {
    await api.get(`/v1/event-types/${ORDER_CREATED.name}`);
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
    await api.post('/v1/event-types', ORDER_CREATED);
  }
}
