import { UserError } from '../core/error.ts';
import type { AwsWorld } from './ecr-api.ts';

/** As variables of endpoints name the services. */
export type AwsService = 'ECR' | 'ECR_PUBLIC' | 'EBS' | 'EC2' | 'S3' | 'SSM' | 'STS';

/** Where the environment says that a service is; undefined for AWS's own. Throws UserError `input` for what is no URL. */
export function serviceEndpoint({ env }: Pick<AwsWorld, 'env'>, service: AwsService): string | undefined {
  const name = [`AWS_ENDPOINT_URL_${service}`, 'AWS_ENDPOINT_URL'].find((variable) => env(variable) !== undefined);
  const url = name === undefined ? undefined : env(name);
  if (url === undefined || /^https?:$/.test(URL.parse(url)?.protocol ?? '')) return url;
  throw new UserError('input', `${name}: ${JSON.stringify(url)} is not a URL`, {
    hint: 'Write it as https://HOST, or leave the variable out for the endpoint of AWS.',
  });
}
