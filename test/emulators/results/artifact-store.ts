import { randomUUID } from 'node:crypto';
import { BLOB_ROOT } from './blob-routes.ts';
import type { BackendIds } from './tokens.ts';

export interface StoredArtifact {
  /** The run that owns it and the job that uploaded it. */
  readonly owner: BackendIds;
  readonly id: number;
  readonly name: string;
  readonly contentType: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** Path of its blob. */
  readonly path: string;
  /** Set when the upload was finalized; nobody sees the artifact before. */
  readonly final?: { readonly size: number; readonly digest: string };
}

/** The artifacts of all runs. */
export class ArtifactStore {
  readonly #artifacts = new Map<number, StoredArtifact>();
  #lastId = 1000;

  create(owner: BackendIds, name: string, contentType: string, expiresAt: Date): StoredArtifact {
    this.#lastId += 1;
    // GitHub's own paths end in .zip for zips, and the client looks at that.
    const path = `${BLOB_ROOT}${owner.run}/${randomUUID()}${contentType === 'application/zip' ? '.zip' : ''}`;
    const artifact = { owner, id: this.#lastId, name, contentType, createdAt: new Date(), expiresAt, path };
    this.#artifacts.set(artifact.id, artifact);
    return artifact;
  }

  finalize(artifact: StoredArtifact, size: number, digest: string): void {
    this.#artifacts.set(artifact.id, { ...artifact, final: { size, digest } });
  }

  delete(artifact: StoredArtifact): void {
    this.#artifacts.delete(artifact.id);
  }

  find(run: string, name: string): StoredArtifact | undefined {
    return this.all().find((artifact) => artifact.owner.run === run && artifact.name === name);
  }

  /** All, in the order of their creation, those that are not finalized too. */
  all(): readonly StoredArtifact[] {
    return [...this.#artifacts.values()];
  }
}
