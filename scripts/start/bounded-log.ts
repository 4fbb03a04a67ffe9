import { createWriteStream, renameSync, type WriteStream } from 'node:fs';

const MAX_BYTES = 20 * 1024 * 1024;

export type BoundedLog = { write(line: string): void; end(): void };

/** A log file that starts empty; when it is full, it becomes `<file>.1` and a new one begins. */
export function openLog(file: string, maxBytes = MAX_BYTES): BoundedLog {
  let bytes = 0;
  let stream = open(file);
  return {
    write(line) {
      if (bytes > maxBytes) {
        stream.end();
        renameSync(file, `${file}.1`);
        stream = open(file);
        bytes = 0;
      }
      bytes += line.length + 1;
      stream.write(`${line}\n`);
    },
    end: () => void stream.end(),
  };
}

function open(file: string): WriteStream {
  const stream = createWriteStream(file);
  // A full disk must not end the system that it logs for.
  stream.on('error', () => {});
  return stream;
}
