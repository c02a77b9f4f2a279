import type { Cloud } from '../aws/cloud.ts';
import type { AmiRecord } from '../aws/ec2-api.ts';
import { mapParallel } from '../core/parallel.ts';
import { isSystem, type System } from '../oci/system.ts';
import { TAGS } from './content.ts';
import { REGIONS_AT_ONCE } from './survey.ts';
import { amisOf } from './tagged.ts';

/** An AMI that a deployment has published. */
export interface PublishedAmi {
  readonly region: string;
  readonly system: System;
  readonly version: string;
  readonly ami: AmiRecord;
}

/** The published AMIs of an image in regions, the newest of a version and system first. Throws as EC2 does. */
export async function publishedAmis(
  cloud: Pick<Cloud, 'ec2'>,
  regions: readonly string[],
  image: string,
): Promise<PublishedAmi[]> {
  const found = await mapParallel(regions, REGIONS_AT_ONCE, async (region) => {
    const amis = await amisOf(cloud.ec2(region), [image]);
    return amis.flatMap((ami): PublishedAmi[] => {
      const system = ami.tags.get(TAGS.system) ?? '';
      const isOurs = ami.tags.has(TAGS.run) && ami.state !== 'deregistered';
      return isOurs && isSystem(system) ? [{ region, system, version: ami.tags.get(TAGS.version) ?? '', ami }] : [];
    });
  });
  return found.flat().toSorted((a, b) => (b.ami.created ?? 0) - (a.ami.created ?? 0) || (a.ami.id < b.ami.id ? -1 : 1));
}
