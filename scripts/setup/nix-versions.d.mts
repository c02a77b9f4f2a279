export type NixSuite =
  | { readonly suite: string; readonly binDir: string }
  | { readonly suite: string; readonly reason: string };

export interface AptSource {
  readonly types: readonly string[];
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  readonly signedBy: string | undefined;
}

export const SUITES: readonly string[];
export function findNixVersions(): readonly NixSuite[];
export function ensureNixVersions(log: (text: string) => void): Promise<readonly NixSuite[]>;
export function debianSource(etc?: string): { readonly uri: string; readonly signedBy: string | undefined };
export function deb822Sources(text: string): readonly AptSource[];
export function oneLineSources(text: string): readonly AptSource[];
