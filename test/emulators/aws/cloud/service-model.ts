import { type BotocoreModel, readBotocoreModel } from '../botocore.ts';

/** A member of a structure, and where it stands in a request or an answer. */
interface Member {
  readonly shape: string;
  readonly location?: 'uri' | 'header' | 'querystring';
  readonly locationName?: string;
  readonly queryName?: string;
}

/** A shape of botocore's models, as far as the protocols here need it. */
export interface ModelShape {
  readonly type: string;
  readonly members?: Readonly<Record<string, Member>>;
  readonly required?: readonly string[];
  readonly member?: Member;
  readonly payload?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly min?: number;
  readonly max?: number;
  readonly error?: { readonly httpStatusCode?: number; readonly code?: string };
}

export interface ModelOperation {
  readonly http: { readonly method: string; readonly requestUri: string; readonly responseCode?: number };
  readonly input?: { readonly shape: string };
  readonly output?: { readonly shape: string; readonly resultWrapper?: string };
  readonly errors?: readonly { readonly shape: string }[];
  /** Whether the body of a request may stay unsigned. */
  readonly unsignedPayload?: boolean;
  /** `none` for what is asked before there are any keys. */
  readonly authtype?: string;
}

/** One of AWS's service models: what requests and answers must look like is taken from it, not written here again. */
export interface ServiceModel {
  readonly metadata: {
    readonly protocol: string;
    readonly apiVersion: string;
    readonly targetPrefix?: string;
    readonly xmlNamespace?: string;
  };
  readonly operations: Readonly<Record<string, ModelOperation>>;
  readonly shapes: Readonly<Record<string, ModelShape>>;
}

export type CloudService = 'ebs' | 'ec2' | 'ssm' | 'sts';

const read = new Map<CloudService, Promise<BotocoreModel>>();

/** The model of a service, as set-up has fetched it; read once, for EC2's has 4 MB. */
export async function loadServiceModel(service: CloudService): Promise<ServiceModel> {
  const model = read.get(service) ?? readBotocoreModel(service);
  read.set(service, model);
  return (await model) as unknown as ServiceModel;
}

/** A shape by its name, which the model itself gave. */
export function shapeOf({ shapes }: ServiceModel, name: string): ModelShape {
  const shape = shapes[name];
  if (shape === undefined) throw new Error(`the service model has no shape ${name}`);
  return shape;
}
