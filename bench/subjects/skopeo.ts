import { CASE_NAMES } from '../cases.ts';
import type { Subject } from './subject.ts';

/** A skopeo: Debian's own, or a newer one with the loader and libraries that it needs. */
export interface Skopeo {
  readonly version: string;
  /** The words that start it. */
  readonly words: readonly [string, ...string[]];
}

/** Root's skopeo keeps what it knows of blobs in /var/lib, which all runs would share; any other user's is in the home folder. */
const OWN_CACHE = { _CONTAINERS_ROOTLESS_UID: '1000' };

/**
 * `skopeo copy` to a registry, from uncompressed layers (which nix2container's skopeo makes on the way, so that this is less
 * than its whole work) or from the archive that dockerTools makes. `level` is skopeo's own unless told.
 */
export const skopeo = (
  { version, words: [program, ...words] }: Skopeo,
  from: 'layers' | 'archive',
  codec: Subject['codec'],
  level?: number,
): Subject => ({
  name: `skopeo ${version}, ${from}, ${codec}${level === undefined ? '' : ` -${level}`}`,
  kind: 'peer',
  codec,
  version: `skopeo ${version}`,
  once: from === 'archive',
  cases: from === 'archive' ? CASE_NAMES.filter((name) => name.startsWith('unchanged') || name === 'cold') : CASE_NAMES,
  input: from,
  commands: ({ inputs, reference }) => {
    const source = from === 'layers' ? `dir:${inputs.layers}` : `docker-archive:${inputs.archive}`;
    // Only OCI manifests can name zstd.
    const format = codec === 'zstd' ? ['--format', 'oci', '--dest-compress-format', 'zstd'] : [];
    const levelled = level === undefined ? [] : ['--dest-compress-level', String(level)];
    const flags = ['--insecure-policy', 'copy', '--quiet', '--dest-tls-verify=false', ...format, ...levelled];
    return [{ program, args: [...words, ...flags, source, `docker://${reference}`], env: OWN_CACHE }];
  },
});
