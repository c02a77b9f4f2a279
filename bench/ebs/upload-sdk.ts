// node upload-sdk.ts DISK URL: uploads the data of a disk by AWS's own client in one thread, as a program would that has nothing else; prints the seconds as
// JSON.
import { createHash, hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { CompleteSnapshotCommand, EBSClient, PutSnapshotBlockCommand, StartSnapshotCommand } from '@aws-sdk/client-ebs';
import { mapParallel } from '../../src/core/parallel.ts';

const BLOCK = 524_288;
const GIB = 1024 ** 3;
const WORKERS = 64;

const [path = '', endpoint = ''] = process.argv.slice(2);
const credentials = { accessKeyId: 'AKIAEXAMPLE000000000', secretAccessKey: 'secret' };
const client = new EBSClient({ region: 'us-east-1', endpoint, credentials });
const begin = performance.now();
await using file = await open(path);
const { size } = await file.stat();
const { SnapshotId } = await client.send(new StartSnapshotCommand({ VolumeSize: Math.ceil(size / GIB) }));
const zeros = Buffer.alloc(BLOCK);
const digests = await mapParallel(
  Array.from({ length: size / BLOCK }, (_, block) => block),
  WORKERS,
  async (block) => {
    const BlockData = Buffer.alloc(BLOCK);
    await file.read(BlockData, 0, BLOCK, block * BLOCK);
    if (BlockData.equals(zeros)) return undefined;
    const digest = hash('sha256', BlockData, 'buffer');
    const Checksum = digest.toString('base64');
    await client.send(
      new PutSnapshotBlockCommand({
        SnapshotId,
        BlockIndex: block,
        BlockData,
        DataLength: BLOCK,
        Checksum,
        ChecksumAlgorithm: 'SHA256',
      }),
    );
    return digest;
  },
);
const written = digests.filter((digest) => digest !== undefined);
const all = createHash('sha256');
for (const digest of written) all.update(digest);
await client.send(
  new CompleteSnapshotCommand({
    SnapshotId,
    ChangedBlocksCount: written.length,
    Checksum: all.digest('base64'),
    ChecksumAlgorithm: 'SHA256',
    ChecksumAggregationMethod: 'LINEAR',
  }),
);
const memory = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ sent: written.length, seconds: (performance.now() - begin) / 1000, memory }));
