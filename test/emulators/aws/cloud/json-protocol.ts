import { ShapeError } from './cloud-error.ts';
import type { Protocol } from './protocol.ts';
import { type ServiceModel, shapeOf } from './service-model.ts';

/** A value of JSON as the model means it: times are seconds there, bytes base64. Members that it does not know stay, for the check that follows. */
export function fromJson(model: ServiceModel, name: string, value: unknown): unknown {
  const shape = shapeOf(model, name);
  if (shape.type === 'timestamp') return typeof value === 'number' ? new Date(value * 1000) : value;
  if (shape.type === 'blob') return typeof value === 'string' ? Buffer.from(value, 'base64') : value;
  if (Array.isArray(value)) return value.map((item) => fromJson(model, shape.member?.shape ?? '', item));
  if (shape.type !== 'structure' || typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => {
      const known = shape.members?.[key];
      return [key, known ? fromJson(model, known.shape, one) : one];
    }),
  );
}

/** The text of a value, with times in seconds; there are no bytes in the answers here. */
export const toJson = (value: object): string =>
  JSON.stringify(value, function (this: Record<string, unknown>, key: string, one: unknown) {
    const own = this[key];
    return own instanceof Date ? own.getTime() / 1000 : one;
  });

const TYPE = 'application/x-amz-json-1.1';

/** JSON 1.1, in which SSM speaks: the operation is in a header, everything else in the body. */
export const jsonProtocol: Protocol = {
  read: (model, { request, body }) => {
    const [prefix, operation = ''] = String(request.headers['x-amz-target'] ?? '').split('.');
    const known = model.operations[operation];
    if (prefix !== model.metadata.targetPrefix || known?.input === undefined)
      throw new ShapeError(`X-Amz-Target ${request.headers['x-amz-target']}`);
    if (request.headers['content-type'] !== TYPE)
      throw new ShapeError(`Content-Type ${request.headers['content-type']}`);
    const input = fromJson(model, known.input.shape, JSON.parse(body.toString('utf8')));
    return { operation, input: input as Record<string, unknown> };
  },
  write: (_model, _operation, output) => ({ status: 200, headers: { 'content-type': TYPE }, body: toJson(output) }),
  fail: (_model, { code, message, status = 400 }) => ({
    status,
    headers: { 'content-type': TYPE },
    body: JSON.stringify({ __type: code, message }),
  }),
};
