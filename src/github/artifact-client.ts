/**
 * The part of `DefaultArtifactClient` of @actions/artifact that is used here. The client itself is handed in, since
 * only `src/host` imports the runner's packages, and then only when a command needs them.
 */
export interface ArtifactClient {
  /**
   * With `skipArchive` the artifact gets the file's own name, and `name` is ignored. `digest` in the answer is
   * hexadecimal, without `sha256:`.
   */
  uploadArtifact(
    name: string,
    files: string[],
    rootDirectory: string,
    options: { readonly retentionDays: number; readonly skipArchive: true },
  ): Promise<{ readonly id?: number; readonly size?: number; readonly digest?: string }>;
  /** All artifacts of this run that are complete, those of earlier attempts too. */
  listArtifacts(): Promise<{ readonly artifacts: readonly object[] }>;
  /** Deletes one of this run, by the runtime token. */
  deleteArtifact(name: string): Promise<object>;
  downloadArtifact(id: number, options: { readonly path: string; readonly skipDecompress: true }): Promise<object>;
}
