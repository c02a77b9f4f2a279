/** What uses an AMI: `ec2:Instance`, `ec2:LaunchTemplate`, `ssm:Parameter`, and its ARN. */
export interface AmiReference {
  readonly type: string;
  readonly arn: string;
}

/** The part of EC2's interface by which AMIs are taken out of use, in one region. Everything throws as Ec2Api does. */
export interface LifecycleApi {
  /** What of this account uses AMIs, by their ids; those that nothing uses are left out. */
  references(ids: readonly string[]): Promise<ReadonlyMap<string, readonly AmiReference[]>>;
  /** Nobody can launch it then, and its launch permissions are gone, also when it is enabled again. */
  disable(id: string): Promise<void>;
}
