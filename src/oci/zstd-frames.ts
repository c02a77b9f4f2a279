const MAGIC = 0xfd2f_b528;
/** The last four bits are free. */
const SKIPPABLE = 0x184d_2a50;

/** Sizes of fields by the two bits that say which they have. */
const DICTIONARY = [0, 1, 2, 4] as const;
const CONTENT_SIZE = [0, 2, 4, 8] as const;

/** What the next bytes are; `unknown` until the end, for a decoder says best what is wrong. */
type Stage = 'magic' | 'length' | 'descriptor' | 'block' | 'unknown';

const HEAD: Readonly<Record<Stage, number>> = { magic: 4, length: 4, descriptor: 1, block: 3, unknown: 0 };

/**
 * Finds where frames of zstd end, of bytes that come in any pieces (RFC 8878, section 3.1). Nothing is decoded: each block says its length. Node's decoder
 * goes on with the next frame where each is written alone, and ends where a write has more.
 */
export class ZstdFrames {
  #stage: Stage = 'magic';
  /** What there is of the head of the stage, a number of so many bytes. */
  #head = 0;
  #headLength = 0;
  /** Bytes up to the next head, or up to the end of the frame. */
  #pass = 0;
  #isLast = false;
  #checksum = 0;

  /** @internal Whether the bytes so far end with a frame, or there were none. */
  get isBetween(): boolean {
    return this.#stage === 'magic' && this.#headLength === 0;
  }

  /** Takes the next bytes up to the end of the frame, and returns how many these are. */
  take(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length; ) {
      if (this.#pass > 0) {
        const passed = Math.min(this.#pass, bytes.length - at);
        this.#pass -= passed;
        at += passed;
      } else {
        const wanted = HEAD[this.#stage];
        if (wanted === 0) return bytes.length;
        // Little-endian, and up to four bytes: no shift, which has a sign.
        this.#head += (bytes[at] as number) * 256 ** this.#headLength;
        this.#headLength += 1;
        at += 1;
        if (this.#headLength === wanted) this.#readHead();
      }
      if (this.#isLast && this.#pass === 0) {
        this.#begin('magic');
        this.#isLast = false;
        return at;
      }
    }
    return bytes.length;
  }

  #begin(stage: Stage): void {
    this.#stage = stage;
    this.#head = 0;
    this.#headLength = 0;
  }

  #readHead(): void {
    const head = this.#head;
    if (this.#stage === 'magic') {
      const isSkippable = head - (head % 16) === SKIPPABLE;
      this.#begin(head === MAGIC ? 'descriptor' : isSkippable ? 'length' : 'unknown');
    } else if (this.#stage === 'length') {
      this.#pass = head;
      this.#isLast = true;
    } else if (this.#stage === 'descriptor') {
      const isSingle = (head & 0x20) !== 0;
      this.#checksum = (head & 4) === 0 ? 0 : 4;
      const contentSize = CONTENT_SIZE[(head >> 6) as 0] || (isSingle ? 1 : 0);
      this.#pass = (isSingle ? 0 : 1) + DICTIONARY[(head & 3) as 0] + contentSize;
      this.#begin('block');
    } else {
      // One byte stands for a block that repeats it.
      this.#pass = ((head >> 1) & 3) === 1 ? 1 : head >> 3;
      this.#isLast = (head & 1) === 1;
      if (this.#isLast) this.#pass += this.#checksum;
      else this.#begin('block');
    }
  }
}
