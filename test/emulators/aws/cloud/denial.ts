import { CloudError } from './cloud-error.ts';
import type { Identity } from './identities.ts';
import type { CloudService } from './service-model.ts';

/** How each service says that IAM does not allow an action: each names who asked and what is missing. */
export function denial(service: CloudService, action: string, { arn }: Identity): CloudError {
  const who = `User: ${arn} is not authorized to perform: ${action}`;
  const text = `${who} on resource: * because no identity-based policy allows the ${action} action`;
  switch (service) {
    case 'ec2':
      return new CloudError('UnauthorizedOperation', `You are not authorized to perform this operation. ${text}`, {
        status: 403,
      });
    case 'ebs':
      return new CloudError('AccessDeniedException', text.slice(0, 256), { reason: 'UNAUTHORIZED_ACCOUNT' });
    case 'ssm':
      return new CloudError('AccessDeniedException', text);
    case 'sts':
      return new CloudError('AccessDenied', text, { status: 403 });
  }
}
