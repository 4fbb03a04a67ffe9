import type { EndpointState, EndpointStateChange } from '@posthorn/db';

/** What a request says of the state; what it leaves out stays. */
export interface WantedState {
  readonly enabled?: boolean | undefined;
  readonly paused?: boolean | undefined;
}

export interface StateStep {
  /** As the audit log has it. */
  readonly verb: 'enabled' | 'disabled' | 'paused' | 'resumed';
  readonly to: EndpointStateChange;
}

const ACTIVE = { state: 'active', reason: null } as const;
const STEPS = {
  enable: { verb: 'enabled', to: ACTIVE },
  disable: { verb: 'disabled', to: { state: 'disabled', reason: 'person' } },
  pause: { verb: 'paused', to: { state: 'paused', reason: 'person', pauseMode: 'hold' } },
  resume: { verb: 'resumed', to: ACTIVE },
} as const satisfies Record<string, StateStep>;

/** The way from a state to the wanted one; empty when it is so. A disabled one is paused only when it is enabled too. */
export function wantedStates(state: EndpointState, { enabled, paused }: WantedState): readonly StateStep[] {
  const isDisabled = state === 'disabled';
  if (enabled === false) return isDisabled ? [] : [STEPS.disable];
  const steps: StateStep[] = [];
  if (isDisabled && enabled === undefined) return steps;
  if (isDisabled) steps.push(STEPS.enable);
  if (paused === true && state !== 'paused') steps.push(STEPS.pause);
  if (paused === false && state === 'paused') steps.push(STEPS.resume);
  return steps;
}
