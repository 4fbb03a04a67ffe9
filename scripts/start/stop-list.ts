import type { Say } from '../infra/kafka-jars.ts';

export type StopStep = (hurry: AbortSignal) => Promise<void>;
export type StopList = {
  /** What was added last stops first. */
  add(name: string, stop: StopStep): void;
  /** Stops everything, also what failed to start half-way. Safe twice. */
  run(hurry: AbortSignal, say: Say): Promise<void>;
};

export function createStopList(): StopList {
  const steps: { name: string; stop: StopStep }[] = [];
  return {
    add(name, stop) {
      steps.push({ name, stop });
    },
    async run(hurry, say) {
      for (let step = steps.pop(); step; step = steps.pop()) {
        try {
          await step.stop(hurry);
        } catch (error) {
          say(`${step.name} did not stop as it should: ${error instanceof Error ? error.message : error}`);
        }
      }
    },
  };
}
