import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadBucketCommand,
  ListMultipartUploadsCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { z } from 'zod';
import { clientSettings } from './client-settings.ts';
import { callCloud } from './cloud-failure.ts';
import type { AwsWorld } from './ecr-api.ts';
import { readAnswer } from './read-answer.ts';
import { isRefused } from './refusal.ts';
import type { S3Api } from './s3-api.ts';

/** A bucket, and whose it must be: names of buckets that were deleted can be taken by others. */
export interface Bucket {
  readonly name: string;
  /** Number of the account. */
  readonly owner: string;
}

/** A bucket of another region is an answer without a body: 301, or 400 (S3 API reference, HeadBucket). */
const headersSchema = z.object({
  $response: z.object({ headers: z.object({ 'x-amz-bucket-region': z.string() }) }),
});

const regionSaid = (error: unknown): string | undefined =>
  headersSchema.safeParse(error).data?.$response.headers['x-amz-bucket-region'];

/** A bucket of S3 (API version 2006-03-01), asked in `region`. */
export function openS3(world: AwsWorld, region: string, { name, owner }: Bucket): S3Api {
  const settings = clientSettings(world, 'S3', region);
  const client = new S3Client({
    ...settings,
    // Endpoints of one's own have no name for each bucket.
    forcePathStyle: 'endpoint' in settings,
    // Bodies are sent at once: waiting for leave costs a round trip for each part.
    expectContinueHeader: false,
  });
  const { signal } = world;
  const bucket = { Bucket: name, ExpectedBucketOwner: owner };
  const call = <T>(verb: string, what: string, work: () => Promise<T>): Promise<T> =>
    callCloud({ action: `s3:${verb}`, what: `${what} ${name}`, region, signal }, work);
  return {
    bucketRegion: () =>
      call('ListBucket', 'cannot use the bucket', async () => {
        try {
          return (await client.send(new HeadBucketCommand(bucket))).BucketRegion ?? region;
        } catch (error) {
          const elsewhere = regionSaid(error);
          if (elsewhere !== undefined && elsewhere !== region) return elsewhere;
          throw error;
        }
      }),
    beginUpload: (key) =>
      call('PutObject', `cannot upload ${key} to`, async () => {
        const answer = await client.send(
          new CreateMultipartUploadCommand({ ...bucket, Key: key, ChecksumAlgorithm: 'CRC32' }),
        );
        return { key, id: readAnswer(z.string(), answer.UploadId, 'the id of an upload that S3 gives') };
      }),
    sendPart: ({ key, id }, number, bytes) =>
      call('PutObject', `cannot upload part ${number} of ${key} to`, async () => {
        const { ETag, ChecksumCRC32 } = await client.send(
          new UploadPartCommand({
            ...bucket,
            ...{ Key: key, UploadId: id, PartNumber: number, Body: bytes, ContentLength: bytes.length },
            ChecksumAlgorithm: 'CRC32',
          }),
        );
        return {
          number,
          etag: readAnswer(z.string(), ETag, 'the ETag of a part that S3 gives'),
          checksum: ChecksumCRC32,
        };
      }),
    endUpload: async ({ key, id }, parts) => {
      const Parts = parts.map(({ number, etag, checksum }) => ({
        PartNumber: number,
        ETag: etag,
        // S3 refuses uploads with checksums whose end does not repeat them (apache/opendal 4580).
        ...(checksum === undefined ? {} : { ChecksumCRC32: checksum }),
      }));
      await call('PutObject', `cannot end the upload of ${key} to`, () =>
        client.send(
          new CompleteMultipartUploadCommand({ ...bucket, Key: key, UploadId: id, MultipartUpload: { Parts } }),
        ),
      );
    },
    openUploads: (key) =>
      call('ListBucketMultipartUploads', 'cannot list the uploads to', async () => {
        // One page: a run begins one upload of a name at a time, and a thousand stand on it.
        const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ ...bucket, Prefix: key }));
        return Uploads.flatMap(({ Key, UploadId }) =>
          Key === key && UploadId !== undefined ? [{ key, id: UploadId }] : [],
        );
      }),
    abortUpload: async ({ key, id }) => {
      try {
        await call('AbortMultipartUpload', `cannot give up the upload of ${key} to`, () =>
          client.send(new AbortMultipartUploadCommand({ ...bucket, Key: key, UploadId: id })),
        );
      } catch (error) {
        if (!isRefused(error, 'NoSuchUpload')) throw error;
      }
    },
    remove: async (key) => {
      await call('DeleteObject', `cannot delete ${key} from`, () =>
        client.send(new DeleteObjectCommand({ ...bucket, Key: key })),
      );
    },
  };
}
