import type { AmiRecord, Ec2Api, SnapshotRecord } from '../aws/ec2-api.ts';
import { TAGS } from './content.ts';

type Tagged = Pick<AmiRecord, 'tags'>;

/** EC2 reads `*` and `?` in values as any text, so what it gives is looked at again. */
const query = (images: readonly string[]) => ({ tag: TAGS.image, values: images.length > 0 ? images : ['*'] });

const isOf =
  (images: readonly string[]) =>
  ({ tags }: Tagged): boolean => {
    const image = tags.get(TAGS.image);
    return image !== undefined && (images.length === 0 || images.includes(image));
  };

/** The AMIs of these images in a region, or of all images of ours where none is named. Throws as EC2 does. */
export const amisOf = async (ec2: Pick<Ec2Api, 'images'>, images: readonly string[]): Promise<AmiRecord[]> =>
  (await ec2.images(query(images))).filter(isOf(images));

/** Their snapshots, also those that no AMI is made of. */
export const snapshotsOf = async (
  ec2: Pick<Ec2Api, 'snapshots'>,
  images: readonly string[],
): Promise<SnapshotRecord[]> => (await ec2.snapshots(query(images))).filter(isOf(images));
