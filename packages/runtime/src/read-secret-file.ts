import { isUtf8 } from 'node:buffer';
import { closeSync, openSync, readSync } from 'node:fs';

/** Of a file that holds one secret: longer than any key, key ring or URL. */
export const MAX_SECRET_FILE_BYTES = 64 * 1024;

/**
 * What is in a file that holds a secret, without the line end that editors and `echo` leave. Read to its bound and not by
 * its size: pipes and `/dev/fd/3` have none.
 * @throws Error that says what is wrong with the file and shows nothing of it.
 */
export function readSecretFile(path: string): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(MAX_SECRET_FILE_BYTES + 1);
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(file, bytes, length, bytes.length - length, null);
      if (read === 0) break;
      length += read;
    }
    return toSecret(bytes.subarray(0, length));
  } finally {
    closeSync(file);
  }
}

function toSecret(bytes: Buffer): string {
  if (bytes.length > MAX_SECRET_FILE_BYTES) throw new Error(`has more than ${MAX_SECRET_FILE_BYTES} bytes`);
  if (!isUtf8(bytes)) throw new Error('is not UTF-8');
  const text = bytes.toString('utf8').replace(/[\r\n]+$/, '');
  if (text === '') throw new Error('is empty');
  return text;
}
