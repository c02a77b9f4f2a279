import { randomUUID } from 'node:crypto';
import { sha256 } from '../../support/bytes.ts';

export interface StoredBlob {
  readonly bytes: Buffer;
  readonly mediaType: string;
  /** When it came, in milliseconds. */
  readonly at: number;
}

export interface Upload {
  readonly id: string;
  readonly repository: string;
  parts: Buffer[];
  size: number;
  /** Changes with every step; a URL with an old one is refused, as distribution does. */
  state: number;
  patches: number;
  /** Bytes of the first PATCH that was taken. */
  firstPart: number | undefined;
  /** Whether a chunk below the minimum came: then it must have been the last. */
  isClosed: boolean;
  /** Whether a part came that must have been the last. */
  hasSmallPart: boolean;
}

/** What an emulated registry holds, by repository. */
export class RegistryStore {
  readonly #blobs = new Map<string, StoredBlob>();
  readonly #manifests = new Map<string, StoredBlob>();
  /** What each reference has meant. */
  readonly #history = new Map<string, readonly StoredBlob[]>();
  readonly uploads = new Map<string, Upload>();
  readonly #now: () => number;
  #toForget = { digest: '', times: 0 };

  constructor(now: () => number = () => 0) {
    this.#now = now;
  }

  blob(repository: string, digest: string): StoredBlob | undefined {
    return this.#blobs.get(`${repository}@${digest}`);
  }

  putBlob(repository: string, bytes: Buffer, digest: string = sha256(bytes)): string {
    if (this.#forgets(digest)) return digest;
    this.#blobs.set(`${repository}@${digest}`, { bytes, mediaType: 'application/octet-stream', at: this.#now() });
    return digest;
  }

  /** Bytes of all blobs. */
  get size(): number {
    return [...this.#blobs.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /** Loses the next blobs that come in: that of a digest, or all where it is empty. */
  forgetNext(digest: string, times: number = 1): void {
    this.#toForget = { digest, times };
  }

  #forgets(digest: string): boolean {
    if (this.#toForget.times === 0 || ![digest, ''].includes(this.#toForget.digest)) return false;
    this.#toForget.times -= 1;
    return true;
  }

  /** Keeps all but the last byte of a blob, as a disk that was full may. */
  damageBlob(repository: string, digest: string): void {
    const blob = this.blob(repository, digest);
    if (blob) this.#blobs.set(`${repository}@${digest}`, { ...blob, bytes: blob.bytes.subarray(0, -1) });
  }

  removeBlob(repository: string, digest: string): void {
    this.#blobs.delete(`${repository}@${digest}`);
  }

  removeManifest(repository: string, reference: string): void {
    this.#manifests.delete(`${repository}@${reference}`);
  }

  manifest(repository: string, reference: string): StoredBlob | undefined {
    return this.#manifests.get(`${repository}@${reference}`);
  }

  putManifest(repository: string, reference: string, bytes: Buffer, mediaType: string): void {
    const manifest = { bytes, mediaType, at: this.#now() };
    const key = `${repository}@${reference}`;
    this.#manifests.set(`${repository}@${sha256(bytes)}`, manifest);
    this.#manifests.set(key, manifest);
    this.#history.set(key, [...(this.#history.get(key) ?? []), manifest]);
  }

  /** What each tag of a repository means: digests, in the order of tags. */
  tags(repository: string): ReadonlyMap<string, string> {
    const own = [...this.#manifests].flatMap(([key, { bytes }]) => {
      const at = key.indexOf('@');
      const reference = key.slice(at + 1);
      return key.slice(0, at) === repository && !reference.includes(':') ? [[reference, sha256(bytes)] as const] : [];
    });
    return new Map(own.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Removes a manifest with all its tags; whether it was there. */
  deleteManifest(repository: string, digest: string): boolean {
    for (const [tag, of] of this.tags(repository)) if (of === digest) this.removeManifest(repository, tag);
    return this.#manifests.delete(`${repository}@${digest}`);
  }

  /** What was under a tag so many milliseconds ago. */
  staleManifest(repository: string, tag: string, milliseconds: number): StoredBlob | undefined {
    const then = this.#now() - milliseconds;
    return this.#history.get(`${repository}@${tag}`)?.findLast(({ at }) => at <= then);
  }

  /** Manifests of a repository, by digest. */
  manifests(repository: string): ReadonlyMap<string, StoredBlob> {
    const own = [...this.#manifests].flatMap(([key, manifest]) => {
      const [name, reference = ''] = key.split('@');
      return name === repository && reference.includes(':') ? [[reference, manifest] as const] : [];
    });
    return new Map(own);
  }

  openUpload(repository: string): Upload {
    const upload: Upload = {
      id: randomUUID(),
      repository,
      parts: [],
      size: 0,
      state: 0,
      patches: 0,
      firstPart: undefined,
      isClosed: false,
      hasSmallPart: false,
    };
    this.uploads.set(upload.id, upload);
    return upload;
  }
}
