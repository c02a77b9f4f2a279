import { createHash } from 'node:crypto';

export interface Blob {
  readonly bytes: Buffer;
  readonly contentType: string;
}

/** A refusal of the blob store, in Azure's words. */
export class BlobError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Azure: "the length of the value must be less than or equal to 64 bytes" before it is encoded. */
const BLOCK_ID_LIMIT = 64;

/** Azure's limit for a block list. */
const BLOCK_LIMIT = 50_000;

/** Blobs by path, and the blocks that are not yet part of one. */
export class BlobStore {
  readonly #blobs = new Map<string, Blob>();
  readonly #blocks = new Map<string, Map<string, Buffer>>();

  get(path: string): Blob | undefined {
    return this.#blobs.get(path);
  }

  delete(path: string): void {
    this.#blobs.delete(path);
    this.#blocks.delete(path);
  }

  putBlob(path: string, blob: Blob): void {
    this.#blobs.set(path, blob);
    this.#blocks.delete(path);
  }

  putBlock(path: string, id: string, bytes: Buffer): void {
    const decoded = Buffer.from(id, 'base64');
    if (decoded.toString('base64') !== id || decoded.length === 0 || decoded.length > BLOCK_ID_LIMIT) {
      throw new BlobError(400, 'InvalidQueryParameterValue', 'blockid must be base64 of at most 64 bytes.');
    }
    const blocks = this.#blocks.get(path) ?? new Map<string, Buffer>();
    const [other] = blocks.keys();
    if (other !== undefined && other.length !== id.length) {
      throw new BlobError(400, 'InvalidBlobOrBlock', 'The block ids of a blob must have equal lengths.');
    }
    this.#blocks.set(path, blocks.set(id, bytes));
  }

  putBlockList(path: string, xml: string, contentType: string): void {
    // An empty list makes an empty blob.
    const list = /^\s*(?:<\?xml[^>]*\?>)?\s*<BlockList(?:\s*\/>|>([\s\S]*)<\/BlockList>)\s*$/.exec(xml);
    if (list === null) throw new BlobError(400, 'InvalidXmlDocument', 'expected <BlockList>.');
    const ids = [...(list[1] ?? '').matchAll(/<(Latest|Uncommitted)>([^<]+)<\/\1>/g)].map(([, , id = '']) => id);
    if (ids.length > BLOCK_LIMIT) throw new BlobError(400, 'BlockListTooLong', 'more than 50000 blocks.');
    const blocks = this.#blocks.get(path);
    const parts = ids.map((id) => {
      const part = blocks?.get(id);
      if (!part) throw new BlobError(400, 'InvalidBlockList', `block ${id} was not put.`);
      return part;
    });
    this.putBlob(path, { bytes: Buffer.concat(parts), contentType });
  }
}

export const sha256Hex = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
