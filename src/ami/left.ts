import { TAGS } from './content.ts';
import type { DeployTools } from './deployment.ts';

/** Something that could not be taken back. */
export interface Left {
  readonly region: string;
  readonly what: string;
  readonly why: string;
  /** What a person types to do it. */
  readonly commands: readonly string[];
}

/** What a person types to have a parameter point to the AMI `before`, or to remove it. */
export const pointerCommand = (region: string, name: string, before: string | undefined): string =>
  before === undefined
    ? `aws ssm delete-parameter --region ${region} --name ${name}`
    : `aws ssm put-parameter --region ${region} --name ${name} --value ${before} --data-type aws:ec2:image --type String --overwrite`;

/** A parameter that still names an AMI of the run. */
export const leftPointer = (region: string, name: string, before: string | undefined, why: string): Left => ({
  ...{ region, what: `parameter ${name}`, why },
  commands: [pointerCommand(region, name, before)],
});

/** An AMI that is still registered. */
export const leftImage = (region: string, id: string, why: string): Left => ({
  ...{ region, what: `AMI ${id}`, why },
  commands: [`aws ec2 deregister-image --region ${region} --image-id ${id}`],
});

/** A snapshot that is still there. */
export const leftSnapshot = (region: string, id: string, why: string): Left => ({
  ...{ region, what: `snapshot ${id}`, why },
  commands: [`aws ec2 delete-snapshot --region ${region} --snapshot-id ${id}`],
});

/** An import, or the object that it reads. The journal does not name the bucket. */
export const leftUpload = (region: string, why: string): Left => ({
  ...{ region, what: 'an upload by way of S3', why },
  commands: [
    `aws ec2 describe-import-snapshot-tasks --region ${region} --filters Name=task-state,Values=active`,
    'aws s3 ls s3://BUCKET/nix-images/',
  ],
});

/** Of a region that could not be asked at all. */
export function leftUnknown(region: string, contents: readonly string[], why: string): Left {
  const filter = `--filters Name=tag:${TAGS.content},Values=${contents.join(',')}`;
  return {
    ...{ region, what: 'whatever is there of it', why },
    commands: [
      `aws ec2 describe-images --region ${region} --owners self --include-disabled ${filter}`,
      `aws ec2 describe-snapshots --region ${region} --owner-ids self ${filter}`,
    ],
  };
}

export type UndoTools = Pick<DeployTools, 'cloud' | 'clock' | 'log' | 'journal' | 'discardUpload'>;
