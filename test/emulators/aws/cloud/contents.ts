import { stateAt } from '../ebs/snapshot.ts';
import { imageState } from '../ec2/image.ts';
import { instanceState } from '../ec2/instances.ts';
import type { CloudState } from './cloud-state.ts';

/** What an account has in all regions, as it truly is, whatever reads show: for what tests say of the end. */
export interface CloudContents {
  readonly images: readonly {
    readonly region: string;
    readonly id: string;
    readonly name: string;
    readonly state: string;
    readonly isPublic: boolean;
    readonly sharedWith: readonly string[];
    readonly snapshots: readonly string[];
    readonly tags: Readonly<Record<string, string>>;
    readonly isDeprecatedLater: boolean;
    readonly protection: string;
  }[];
  readonly snapshots: readonly {
    readonly region: string;
    readonly id: string;
    readonly state: string;
    readonly origin: string;
    readonly isPublic: boolean;
    readonly tags: Readonly<Record<string, string>>;
  }[];
  readonly parameters: readonly {
    readonly region: string;
    readonly name: string;
    readonly value: string | undefined;
    readonly version: number | undefined;
    readonly dataType: string;
  }[];
  /** Instances that are not terminated, as `REGION/ID`. */
  readonly instances: readonly string[];
  /** Images that are still copied, as `REGION/ID`. */
  readonly copies: readonly string[];
}

/** Everything that an account has in the cloud. */
export function contentsOf({ regions, world }: CloudState, account: string): CloudContents {
  const now = world.now();
  const all = [...regions.values()];
  const own = <T extends { readonly owner: string }>(of: (region: (typeof all)[number]) => Iterable<T>) =>
    all.flatMap((region) =>
      [...of(region)].filter(({ owner }) => owner === account).map((one) => ({ region: region.name, one })),
    );
  const images = own((region) => region.images.values()).filter(({ one }) => !one.gone);
  return {
    images: images.map(({ region, one }) => ({
      region,
      id: one.id,
      name: one.name,
      state: imageState(one, now),
      isPublic: one.view.value.sharedWith.has('all'),
      sharedWith: [...one.view.value.sharedWith],
      snapshots: one.mappings.flatMap(({ Ebs }) => Ebs?.SnapshotId ?? []),
      tags: Object.fromEntries(one.view.value.tags),
      isDeprecatedLater: one.view.value.deprecatesAt !== undefined,
      protection: one.protection,
    })),
    snapshots: own((region) => region.snapshots.values()).map(({ region, one }) => ({
      region,
      id: one.id,
      state: stateAt(one, now),
      origin: one.origin,
      isPublic: one.sharedWith.has('all'),
      tags: Object.fromEntries(one.tags),
    })),
    parameters: own((region) => region.parameters.values()).map(({ region, one }) => ({
      region,
      name: one.name,
      value: one.versions.value.at(-1)?.value,
      version: one.versions.value.at(-1)?.version,
      dataType: one.dataType,
    })),
    instances: own((region) => region.instances.values())
      .filter(({ one }) => instanceState(one, now) !== 'terminated')
      .map(({ region, one }) => `${region}/${one.id}`),
    copies: images
      .filter(({ one }) => one.source && imageState(one, now) === 'pending')
      .map(({ region, one }) => `${region}/${one.id}`),
  };
}
