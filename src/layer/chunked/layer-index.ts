import { isUtf8 } from 'node:buffer';
import { toBytes, toText } from '../../core/bytes.ts';
import { chunkedAnnotations, type LayerPart, plainAnnotation, TOC_TYPE } from '../../oci/chunked.ts';
import type { TarEntry } from '../../tar/entry.ts';
import { headerFields } from '../../tar/layer-header.ts';
import { PackedText, sha256Of } from './packed-text.ts';
import { type ChunkedContent, tocRows } from './toc-row.ts';

/**
 * Bytes of a table of contents, unpacked. containers/storage before 2025 (podman up to 5.3) fails the pull where there are more; later ones
 * pull the whole layer where there are more than 150 MiB.
 */
const TOC_LIMIT = 50 * 1024 * 1024;

/** What ends the layer: magic and length of a frame that decoders skip (RFC 8878, section 3.1.2), and `bytes`. */
function skippable(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(SKIPPABLE_HEADER);
  head.writeUInt32LE(0x184d_2a50, 0);
  head.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([head, bytes]);
}

const SKIPPABLE_HEADER = 8;

/** Bytes that are enough for what ends a table of contents. */
const TAIL = 128;

/** Tells what a frame is that begins with numbers. */
const FOOTER_MAGIC = 'GNUlInUx';

/**
 * What a zstd:chunked layer says of itself behind its data: the table of contents, and what is needed to make the tar again from the files
 * (github.com/vbatts/tar-split, a line for each header and for each file). Both are compressed as they grow.
 */
export class LayerIndex {
  readonly #toc = new PackedText();
  readonly #tarSplit = new PackedText();
  readonly #limit: number;
  #position = 0;
  #rows = 0;
  #why: string | undefined;

  /** `limit` is the most bytes that the table of contents may have, unpacked. */
  constructor(limit = TOC_LIMIT) {
    this.#limit = limit;
    this.#toc.add('{"version":1,"entries":[');
  }

  /** What is between the contents before an entry and its own: padding and header, or at the end padding and end. */
  addSegment(bytes: Uint8Array): void {
    this.#addLine({ type: 2, payload: Buffer.from(bytes).toString('base64') });
  }

  /** An entry, behind its header; `sum` is the CRC-64 of its content, where it has one. */
  addEntry(entry: TarEntry, sum?: Buffer): void {
    const { name, link, size } = headerFields(entry);
    const notText = [name, link].find((each) => !isUtf8(toBytes(each)));
    // JSON holds text. What others write instead of such a name is another name, and a reader refuses the layer for it.
    if (notText !== undefined) this.#giveUp(`a name is not UTF-8: ${toText(notText)}`);
    const payload = sum?.toString('base64') ?? null;
    this.#addLine({ type: 1, name: toText(name), ...(size > 0 ? { size } : {}), payload });
  }

  /** The entry in the table of contents, in the order of the tar. */
  addRows(entry: TarEntry, content?: ChunkedContent): void {
    if (this.#why !== undefined) return;
    this.#toc.add(`${this.#rows === 0 ? '' : ','}${tocRows(entry, content)}`);
    this.#rows += 1;
  }

  /** Compresses what has come together. */
  async settle(): Promise<void> {
    if (this.#why !== undefined) return;
    await this.#toc.settle();
    await this.#tarSplit.settle();
    if (this.#toc.size + TAIL > this.#limit) this.#giveUp(`its table of contents is over ${this.#limit} bytes`);
  }

  /** The frames that go behind `offset` bytes of data, and what the layer's descriptor says: without frames, why. */
  async end(offset: number): Promise<{ readonly bytes: Uint8Array; readonly annotations: Record<string, string> }> {
    await this.settle();
    if (this.#why !== undefined) return { bytes: Buffer.alloc(0), annotations: plainAnnotation(this.#why) };
    const tarSplit = await this.#tarSplit.end();
    this.#toc.add(`],"tarSplitDigest":"${sha256Of(tarSplit)}"}`);
    const toc = await this.#toc.end();
    const tocPlace = { offset: offset + SKIPPABLE_HEADER, length: toc.length, unpacked: this.#toc.size };
    const tarSplitPlace = {
      offset: tocPlace.offset + toc.length + SKIPPABLE_HEADER,
      length: tarSplit.length,
      unpacked: this.#tarSplit.size,
    };
    const frames = [toc, tarSplit, footer(tocPlace, tarSplitPlace)].map(skippable);
    return { bytes: Buffer.concat(frames), annotations: chunkedAnnotations(sha256Of(toc), tocPlace, tarSplitPlace) };
  }

  /** Frees what it holds, whether it came to its end or not. */
  close(): void {
    this.#toc.close();
    this.#tarSplit.close();
  }

  #addLine(line: object): void {
    if (this.#why !== undefined) return;
    this.#tarSplit.add(`${JSON.stringify({ ...line, position: this.#position })}\n`);
    this.#position += 1;
  }

  #giveUp(why: string): void {
    this.#why ??= why;
    this.close();
  }
}

/** Where both parts lie: six numbers and the type, little-endian, and the magic. */
function footer(toc: LayerPart, tarSplit: LayerPart): Buffer {
  const numbers = [
    ...[toc.offset, toc.length, toc.unpacked, TOC_TYPE],
    ...[tarSplit.offset, tarSplit.length, tarSplit.unpacked],
  ];
  const bytes = Buffer.alloc(64);
  for (const [at, number] of numbers.entries()) bytes.writeBigUInt64LE(BigInt(number), at * 8);
  bytes.write(FOOTER_MAGIC, 56, 'latin1');
  return bytes;
}
