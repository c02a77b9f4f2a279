/** One store path as Nix knows it. */
export interface StorePathInfo {
  readonly path: string;
  /** SRI (`sha256-<base64>`), whatever way the Nix at hand printed it. */
  readonly narHash: string;
  /** Bytes of the NAR. */
  readonly narSize: number;
  /** Store paths this one names, itself possibly among them. */
  readonly references: readonly string[];
}

/** A set of store paths closed under references, sorted by path. */
export type Closure = readonly StorePathInfo[];
