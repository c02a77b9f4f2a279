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

export type UndoTools = Pick<DeployTools, 'cloud' | 'clock' | 'log' | 'journal' | 'discardUpload'>;
