import type { IncomingMessage } from 'node:http';
import type { CloudError } from './cloud-error.ts';
import type { ServiceModel } from './service-model.ts';

/** A request as it came, with its whole body. */
export interface CameRequest {
  readonly request: IncomingMessage;
  readonly body: Buffer;
}

/** A request as its protocol means it. */
export interface ReadRequest {
  readonly operation: string;
  readonly input: Record<string, unknown>;
}

export interface WrittenAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** One of AWS's protocols: from bytes to values and back, by a service's model. */
export interface Protocol {
  /** Throws ShapeError for what the model does not know. */
  read(model: ServiceModel, came: CameRequest): ReadRequest;
  write(model: ServiceModel, operation: string, output: object): WrittenAnswer;
  fail(model: ServiceModel, error: CloudError): WrittenAnswer;
}
