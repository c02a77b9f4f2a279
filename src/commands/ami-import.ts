import type { DeployTools, UploadRequest } from '../ami/deployment.ts';
import type { AwsWorld } from '../aws/ecr-api.ts';
import { UserError } from '../core/error.ts';
import type { Clock } from '../core/retry.ts';
import type { ImportSettings } from '../ebs/import-settings.ts';
import { discardImport, importSnapshot } from '../ebs/import-snapshot.ts';
import type { Host } from '../host/host.ts';
import type { AmiDisk } from './ami-disk.ts';
import type { DeployAmiInputs } from './ami-inputs.ts';

/** The way of disks by a bucket. */
interface AmiImports {
  readonly world: AwsWorld;
  readonly host: Pick<Host, 'log' | 'signal'>;
  readonly clock: Clock;
  readonly inputs: Pick<DeployAmiInputs, 'upload' | 'uploadBucket' | 'importRole' | 'patience'>;
  /** Whose the bucket must be. */
  readonly account: string;
}

/** How disks go through S3, and how what is left of that is taken back; undefined where they go another way. */
export function amiImports(
  imports: AmiImports,
  disks: readonly AmiDisk[],
): Required<Pick<DeployTools, 'upload' | 'discardUpload'>> | undefined {
  if (imports.inputs.upload !== 's3') return undefined;
  return {
    upload: async (request) => {
      const { disk: wanted, region, signal, kmsKey, tags, description } = request;
      const disk = disks.find(({ image, system }) => image === wanted.image && system === wanted.system);
      if (disk === undefined) throw new RangeError(`no disk of ${wanted.image} for ${wanted.system}`);
      const source = { path: await disk.file(), size: disk.blocks.size, blocks: disk.blocks };
      const options = { key: keyOf(request), description, tags, kmsKey };
      return await importSnapshot(settingsFor(imports, region, signal), source, options);
    },
    discardUpload: (upload) =>
      discardImport(settingsFor(imports, upload.region, imports.host.signal), { key: keyOf(upload) }),
  };
}

/** Throws UserError `input` where a way is asked for that something lacks. */
export function checkUpload({ upload, uploadBucket }: AmiImports['inputs']): void {
  if (upload === 's3' && uploadBucket === undefined)
    throw new UserError('input', 'no bucket to upload through', {
      hint: 'Name one of the first region with --upload-bucket; in a workflow it is the input `upload-bucket`.',
      docs: 'aws-iam.md#through-s3',
    });
}

const MINUTE = 60_000;

function settingsFor(
  { world, host, clock, inputs, account }: AmiImports,
  region: string,
  signal: AbortSignal,
): ImportSettings {
  const { uploadBucket: bucket = '', importRole: role, patience } = inputs;
  return {
    ...{ region, bucket, role, clock, signal, log: host.log, importTime: patience * MINUTE },
    open: async (until) => {
      const { openImports } = await import('../aws/open-imports.ts');
      return openImports({ ...world, signal: until }, region, { name: bucket, owner: account });
    },
  };
}

/** One AMI's: its content says all that is in the snapshot. */
const keyOf = ({ content, region }: Pick<UploadRequest, 'content' | 'region'>): string => `${content} ${region}`;
