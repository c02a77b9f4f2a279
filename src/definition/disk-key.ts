import { createHash } from 'node:crypto';
import { canonicalJson, type Json } from '../core/canonical-json.ts';
import type { DiskDefinition } from './disk-definition.ts';

/**
 * The rules by which a definition and its closure become a disk: partitions, file systems, manifest. Any change that can
 * alter the disk of an equal definition raises the version, and disks made by other rules are then made again.
 */
const DISK_PROFILE_VERSION = 1;

/**
 * What a disk is made of, as the 64 hexadecimal digits of an image's key (`definitionKey`): known without building, for
 * store paths stand for their content. The name counts, since UUIDs follow from it; the positions of the disk before do not:
 * of two disks that hold the same, the published one is kept. Nor do tag, tests, derivations and what builds it count.
 */
export function diskKey(definition: DiskDefinition): string {
  const { tag: _tag, tests: _tests, buildSystem: _builder, roots, ...said } = definition;
  const paths = [...new Set(roots.map(({ outPath }) => outPath))].sort();
  const storeRoots = [...new Set(said.storeRoots)].sort();
  const disk = { ...said, storeRoots, roots: paths } as Json;
  return createHash('sha256')
    .update(canonicalJson({ profile: [DISK_PROFILE_VERSION], kind: 'disk-definition', disk }))
    .digest('hex');
}
