import { EBS_HANDLERS } from '../ebs/handlers.ts';
import { EC2_HANDLERS } from '../ec2/handlers.ts';
import { SSM_HANDLERS } from '../ssm/handlers.ts';
import { STS_HANDLERS } from '../sts/handlers.ts';
import type { CloudHandlers } from './cloud-call.ts';
import { jsonProtocol } from './json-protocol.ts';
import type { Protocol } from './protocol.ts';
import { ec2Protocol, queryProtocol } from './query-protocol.ts';
import { restJsonProtocol } from './rest-json-protocol.ts';
import type { CloudService } from './service-model.ts';

/** What is emulated: the protocol of each service, what answers, and the errors that every operation may have. */
export const SERVICES: Readonly<
  Record<CloudService, { readonly protocol: Protocol; readonly handlers: CloudHandlers; readonly invalid: string }>
> = {
  ebs: { protocol: restJsonProtocol, handlers: EBS_HANDLERS, invalid: 'ValidationException' },
  ec2: { protocol: ec2Protocol, handlers: EC2_HANDLERS, invalid: 'InvalidParameterValue' },
  ssm: { protocol: jsonProtocol, handlers: SSM_HANDLERS, invalid: 'ValidationException' },
  sts: { protocol: queryProtocol, handlers: STS_HANDLERS, invalid: 'ValidationError' },
};
