import type { Consumer } from '@posthorn/kafka';

/**
 * A consumer and the handlers of its records need each other: the consumer offers records, the handlers resume
 * partitions and ask for the fence. This is the end that handlers hold; the consumer is put in behind it.
 *
 * Modes: detached (nothing may act) → free ⇄ held (from a rejoin's last commit until the next generation).
 */
export interface ConsumerHandle {
  resume(topic: string, partition: number): void;
  mayAct(): boolean;
  readonly generation: number | null;
  /**
   * Nothing starts while the group still has this generation: what would end after the rejoin's last commit would be
   * done again by the next owner. (A drain may outlast the rejoin it was for; then nothing is held.)
   */
  holdWhile(generation: number | null): void;
  attach(consumer: Consumer): Consumer;
}

export function createConsumerHandle(): ConsumerHandle {
  let consumer: Consumer | undefined;
  let heldAt: number | null | undefined;
  return {
    resume: (topic, partition) => consumer?.resume(topic, partition),
    mayAct() {
      if (!consumer?.mayAct()) return false;
      if (heldAt === undefined) return true;
      if (consumer.stats().generation === heldAt) return false;
      heldAt = undefined;
      return true;
    },
    get generation() {
      return consumer?.stats().generation ?? null;
    },
    holdWhile(generation) {
      heldAt = generation;
    },
    attach(given) {
      consumer = given;
      return given;
    },
  };
}
