import type { Consumer } from '@posthorn/kafka';

/**
 * A consumer and the handlers of its records need each other: the consumer offers records, the handlers resume
 * partitions and ask for the fence. This is the end that handlers hold; the consumer is put in behind it.
 */
export interface ConsumerHandle {
  resume(topic: string, partition: number): void;
  /** Whether anything may go out at all; false before there is a consumer. */
  mayAct(): boolean;
  /** Whether something new may begin: not while a rejoin or a stop is draining. */
  mayBegin(): boolean;
  attach(consumer: Consumer): Consumer;
}

export function createConsumerHandle(): ConsumerHandle {
  let consumer: Consumer | undefined;
  return {
    resume: (topic, partition) => consumer?.resume(topic, partition),
    mayAct: () => consumer?.mayAct() ?? false,
    mayBegin: () => consumer?.mayBegin() ?? false,
    attach(given) {
      consumer = given;
      return given;
    },
  };
}
