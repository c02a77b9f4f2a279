import type { Claims } from '../../oidc/issuer.ts';
import type { InstanceFate } from '../ec2/instance.ts';
import { CloudRegion } from './cloud-region.ts';
import { Faults } from './faults.ts';
import { Identities, type Partition } from './identities.ts';
import { OPT_IN, partitionOf, regionsOf } from './partitions.ts';
import { RateLimits } from './rate-limits.ts';
import type { CloudRole } from './roles.ts';

/** How late what was done is seen: not at all, as late as reported by chance, or as late as was ever reported. */
export type Lags = 'none' | 'reported' | 'longest';

export interface CloudWorld {
  readonly now: () => number;
  /** From 0 up to 1, by the seed of the run. */
  readonly random: () => number;
  readonly lags: Lags;
  readonly keepsBlocks: boolean;
  readonly countsQuotas: boolean;
  /** What the services take for now when they look at signatures. */
  readonly signatureTime: () => number;
  /** What the issuer of ID tokens says of one. */
  readonly verifyIdToken: (token: string) => Claims | undefined;
}

/** All regions of an emulated cloud, and who may use them. */
export class CloudState {
  readonly world: CloudWorld;
  readonly identities = new Identities();
  /** By their ARNs. */
  readonly roles = new Map<string, CloudRole>();
  readonly limits = new RateLimits();
  readonly faults: Faults;
  readonly regions = new Map<string, CloudRegion>();
  /** What the consoles of instances say. */
  console: (instance: {
    readonly id: string;
    readonly imageId: string;
    readonly region: string;
    readonly runsFrom: number;
    readonly now: number;
  }) => string = () => '';
  /** Why and when instances of an image end by themselves; undefined for those that do not. */
  instanceFate: ((imageId: string, runsFrom: number) => InstanceFate | undefined) | undefined;
  #ids = 0;

  constructor(world: CloudWorld) {
    this.world = world;
    this.faults = new Faults(world.random);
    for (const partition of ['aws', 'aws-us-gov', 'aws-cn', 'aws-eusc'] as const) {
      for (const name of regionsOf(partition))
        this.regions.set(name, new CloudRegion(name, partition, !OPT_IN.includes(name)));
    }
  }

  /** A region; throws for a name that is none. */
  region(name: string): CloudRegion {
    const region = this.regions.get(name);
    if (region === undefined) throw new Error(`${name} is not a region of ${partitionOf(name) ?? 'any partition'}`);
    return region;
  }

  inPartition = (partition: Partition): CloudRegion[] =>
    [...this.regions.values()].filter((region) => region.partition === partition);

  /** A new id: `snap-0…`. */
  id(prefix: string): string {
    this.#ids += 1;
    return `${prefix}-0${this.#ids.toString(16).padStart(16, '0')}`;
  }

  /** How long something is not seen yet, at most so many milliseconds. */
  lag(longest: number): number {
    const { lags, random } = this.world;
    return lags === 'none' ? 0 : lags === 'longest' ? longest : Math.floor(random() * longest);
  }

  /** A span that takes its time in any case, from `shortest` on where there are no lags. */
  span(shortest: number, longest: number): number {
    return shortest + this.lag(longest - shortest);
  }
}
