import type { Ec2Api } from './ec2-api.ts';
import { openEc2 } from './ec2-client.ts';
import type { AwsWorld } from './ecr-api.ts';
import type { ImportApi } from './import-api.ts';
import { openImportClient } from './import-client.ts';
import type { S3Api } from './s3-api.ts';
import { type Bucket, openS3 } from './s3-client.ts';

/** What importing disks by way of S3 asks AWS for. */
export interface ImportFaces {
  readonly s3: S3Api;
  readonly imports: ImportApi;
  readonly ec2: Ec2Api;
}

/** A region and a bucket in it. Load it with `import()`: the client of S3 is needed for nothing else. */
export const openImports = (world: AwsWorld, region: string, bucket: Bucket): ImportFaces => ({
  s3: openS3(world, region, bucket),
  imports: openImportClient(world, region),
  ec2: openEc2(world, region),
});
