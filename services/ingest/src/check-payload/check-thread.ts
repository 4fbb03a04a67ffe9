import { parentPort } from 'node:worker_threads';
import { compileSchema, type PayloadFault, type Validate } from './compile-schema.ts';
import { inspectSchema } from './inspect-schema.ts';
import type { Answered, Asked } from './messages.ts';

/**
 * The thread in which schemas meet payloads: both may be made to take forever, and whoever asked ends the thread then.
 * It holds the compiled schemas that it was told to keep, and nothing else.
 */
const compiled = new Map<string, Validate>();
const port = parentPort!;

port.on('message', (asked: Asked) => {
  port.postMessage(answer(asked));
});
port.postMessage({ kind: 'ready' } satisfies Answered);

function answer(asked: Asked): Answered {
  try {
    return { kind: 'faults', faults: work(asked) };
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

function work(asked: Asked): readonly PayloadFault[] {
  switch (asked.kind) {
    case 'inspect':
      return inspectSchema(JSON.parse(asked.schema), JSON.parse(asked.examples));
    case 'compile':
      if (asked.forget !== null) compiled.delete(asked.forget);
      compiled.set(asked.key, compileSchema(JSON.parse(asked.schema)));
      return [];
    case 'check': {
      const { buffer, byteOffset, length } = asked.payload;
      return compiled.get(asked.key)!(JSON.parse(Buffer.from(buffer, byteOffset, length).toString('utf8')));
    }
    default:
      return asked satisfies never;
  }
}
