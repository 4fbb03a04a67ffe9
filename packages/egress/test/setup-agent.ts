import {
  type AgentEvent,
  createAddressPolicy,
  createGuardedAgent,
  createResolver,
  type GuardedAgentOptions,
  type Lookup,
  type OutboundRequest,
  parseTarget,
  type SendResult,
} from '../src/index.ts';

/** For what is to be late: enough for a busy machine to do what comes before. */
export const DEADLINE_MS = 500;

export interface AgentSetup extends Partial<GuardedAgentOptions> {
  readonly allowedCidrs?: readonly string[];
  readonly lookup?: Lookup;
}

/** An agent that may call loopback, and a short way to send with it. */
export function setupAgent({ allowedCidrs = ['127.0.0.0/8'], lookup, ...options }: AgentSetup = {}) {
  const policy = createAddressPolicy({ allowedCidrs });
  const events: AgentEvent['kind'][] = [];
  let wake = (): void => {};
  const resolver = createResolver({ policy, ...(lookup === undefined ? {} : { lookup }) });
  const agent = createGuardedAgent({
    policy,
    resolver,
    onEvent: ({ kind }) => {
      events.push(kind);
      wake();
    },
    ...options,
  });
  function send(url: string, request: Partial<OutboundRequest> = {}): Promise<SendResult> {
    const target = parseTarget(url);
    if (target === null) throw new Error(`not a URL: ${url}`);
    const whole = {
      target,
      method: 'POST',
      headers: [],
      body: Buffer.from('{}'),
      deadlineMs: 20_000,
    } as const;
    return agent.send({ ...whole, ...request });
  }
  async function happened(kind: AgentEvent['kind']): Promise<void> {
    while (!events.includes(kind)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  return { agent, happened, send, events, policy, [Symbol.asyncDispose]: () => agent.close() };
}
