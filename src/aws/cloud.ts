import type { Ec2Api } from './ec2-api.ts';
import type { InstanceApi } from './instance-api.ts';
import type { LifecycleApi } from './lifecycle-api.ts';
import type { SsmApi } from './ssm-api.ts';

/** Who we are to AWS. */
export interface AwsIdentity {
  readonly account: string;
  readonly arn: string;
}

/** AWS, region by region, as one account. */
export interface Cloud {
  ec2(region: string): Ec2Api;
  ssm(region: string): SsmApi;
  instances(region: string): InstanceApi;
  lifecycle(region: string): LifecycleApi;
  /** Asked in `region`, for each partition has accounts of its own. */
  identity(region: string): Promise<AwsIdentity>;
  /**
   * Has everything from now on asked with new credentials, and not stopped by what has stopped the run: sessions end while copies are waited
   * for, and what undoes a cancelled run must not be cancelled itself.
   */
  renew(): void;
}
