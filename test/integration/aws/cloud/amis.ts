import { openCloud } from '../../../../src/aws/open-cloud.ts';
import { type Identity, variablesOf } from '../../../emulators/aws/cloud/identities.ts';
import { memoryLog } from '../../../support/memory-log.ts';
import { addImage, addSnapshot, type CloudKit } from './kit.ts';

export const DAY = 86_400_000;
export const [HOME, OTHER] = ['us-east-1', 'eu-central-1'] as const;
export const REGIONS = [HOME, OTHER];

export const tagsOf = (version: string, more: Readonly<Record<string, string>> = {}): Map<string, string> =>
  new Map(
    Object.entries({
      'nix-images:content': `content ${version}`,
      'nix-images:disk': `disk ${version}`,
      'nix-images:image': 'server',
      'nix-images:system': 'x86_64-linux',
      'nix-images:version': version,
      'nix-images:run': 'run-1',
      ...more,
    }),
  );

const listOf = (tags: ReadonlyMap<string, string>) => [...tags].map(([Key, Value]) => ({ Key, Value }));

interface ReleaseOptions {
  readonly regions?: readonly string[];
  readonly tags?: ReadonlyMap<string, string>;
}

/** AMIs of a version, one in each region, as a deployment leaves them; a day passes then. */
export async function addRelease(
  kit: CloudKit,
  version: string,
  { regions = REGIONS, tags = tagsOf(version) }: ReleaseOptions = {},
): Promise<string[]> {
  const ids = [];
  for (const region of regions) {
    const { snapshots } = kit.cloud.state.region(region);
    const snapshot = addSnapshot(kit, region, { tags: new Map(tags) });
    const known = new Set(snapshots.keys());
    const more = {
      Name: `server ${version} ${kit.clock.now()}`,
      Architecture: tags.get('nix-images:system') === 'aarch64-linux' ? ('arm64' as const) : ('x86_64' as const),
      BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { SnapshotId: snapshot.id } }],
      TagSpecifications: [{ ResourceType: 'image' as const, Tags: listOf(tags) }],
    };
    ids.push(await addImage(kit, more, region));
    // The kit makes a snapshot for each image.
    for (const id of snapshots.keys()) if (!known.has(id)) snapshots.delete(id);
  }
  kit.clock.advance(DAY);
  return ids;
}

/** What AWS's clients need of the world to ask the emulated cloud. */
export function worldOf({ cloud }: CloudKit, identity: Identity = cloud.admin) {
  const variables: Readonly<Record<string, string>> = { ...variablesOf(identity), AWS_ENDPOINT_URL: cloud.url };
  return {
    ...{ log: memoryLog(), signal: new AbortController().signal, fetch },
    env: (name: string) => variables[name],
  };
}

/** AWS as the product sees it, at the emulated cloud. */
export const cloudOf = (kit: CloudKit, identity?: Identity) => openCloud(worldOf(kit, identity));
