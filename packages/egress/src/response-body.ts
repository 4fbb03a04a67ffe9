const EMPTY = Buffer.alloc(0);
const SMALLEST_GROWTH_BYTES = 1_024;

/** The first `maxBytes` of a body. Copied, because a chunk of one byte would keep its whole socket read alive. */
export class ResponseBody {
  readonly #maxBytes: number;
  #buffer: Buffer = EMPTY;
  #length = 0;
  #truncated = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get truncated(): boolean {
    return this.#truncated;
  }

  append(chunk: Buffer): void {
    const room = this.#maxBytes - this.#length;
    const taken = Math.min(room, chunk.length);
    this.#truncated = chunk.length > room;
    this.#makeRoom(this.#length + taken);
    chunk.copy(this.#buffer, this.#length, 0, taken);
    this.#length += taken;
  }

  read(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    const isFirst = this.#length === 0;
    const grown = Buffer.allocUnsafe(
      isFirst ? bytes : Math.max(bytes, this.#buffer.length * 2, SMALLEST_GROWTH_BYTES),
    );
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
