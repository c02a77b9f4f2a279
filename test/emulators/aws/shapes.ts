/** A shape of AWS's service models, as far as the operations here need it. */
export type Shape =
  | {
      readonly type: 'string';
      readonly pattern?: RegExp;
      readonly min?: number;
      readonly max?: number;
      readonly values?: readonly string[];
    }
  | { readonly type: 'blob'; readonly max: number }
  | { readonly type: 'number'; readonly min?: number; readonly max?: number }
  | { readonly type: 'boolean' | 'timestamp' }
  | { readonly type: 'list'; readonly of: Shape; readonly min?: number; readonly max?: number }
  | {
      readonly type: 'structure';
      readonly members: Readonly<Record<string, Shape>>;
      readonly required?: readonly string[];
    };

const sizeError = (
  size: number,
  { min = 0, max = Number.POSITIVE_INFINITY }: { min?: number; max?: number },
  at: string,
) => (size < min || size > max ? `${at} has ${size}, not ${min} to ${max}` : undefined);

const stringError = (shape: Shape & { type: 'string' }, value: string, at: string): string | undefined => {
  if (shape.values && !shape.values.includes(value)) return `${at} is none of ${shape.values.join(', ')}`;
  if (shape.pattern && !new RegExp(`^(?:${shape.pattern.source})$`).test(value))
    return `${at} does not fit ${shape.pattern}`;
  return sizeError(value.length, shape, at);
};

/** What is wrong with a value of AWS's JSON 1.1; undefined for nothing. Members that the model does not know are wrong. */
export const shapeError = (shape: Shape, value: unknown, at = 'body'): string | undefined => {
  switch (shape.type) {
    case 'string':
      return typeof value === 'string' ? stringError(shape, value, at) : `${at} is no string`;
    case 'blob':
      if (typeof value !== 'string' || Buffer.from(value, 'base64').toString('base64') !== value)
        return `${at} is no base64`;
      return sizeError(Buffer.from(value, 'base64').length, shape, at);
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `${at} is no boolean`;
    case 'number':
      return typeof value === 'number' ? sizeError(value, shape, at) : `${at} is no number`;
    case 'timestamp':
      return typeof value === 'number' ? undefined : `${at} is no number`;
    case 'list':
      if (!Array.isArray(value)) return `${at} is no list`;
      return (
        sizeError(value.length, shape, at) ??
        value.map((item, index) => shapeError(shape.of, item, `${at}[${index}]`)).find(Boolean)
      );
    case 'structure': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return `${at} is no structure`;
      const missing = shape.required?.find((name) => !(name in value));
      if (missing !== undefined) return `${at}.${missing} is missing`;
      return Object.entries(value)
        .map(([name, member]) => {
          const known = shape.members[name];
          return known ? shapeError(known, member, `${at}.${name}`) : `${at}.${name} is not in the model`;
        })
        .find(Boolean);
    }
  }
};

export const string = (limits: Omit<Shape & { type: 'string' }, 'type'> = {}): Shape => ({ type: 'string', ...limits });
export const list = (of: Shape, limits: { readonly min?: number; readonly max?: number } = {}): Shape => ({
  type: 'list',
  of,
  ...limits,
});
export const structure = (members: Readonly<Record<string, Shape>>, required: readonly string[] = []): Shape => ({
  type: 'structure',
  members,
  required,
});
export const timestamp: Shape = { type: 'timestamp' };
export const boolean: Shape = { type: 'boolean' };
export const number = (limits: { readonly min?: number; readonly max?: number } = {}): Shape => ({
  type: 'number',
  ...limits,
});
