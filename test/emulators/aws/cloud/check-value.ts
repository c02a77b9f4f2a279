import { type ModelShape, type ServiceModel, shapeOf } from './service-model.ts';

const patterns = new Map<string, RegExp>();

/** Patterns mean the whole of a text, whether they say so or not. */
function patternOf(source: string): RegExp {
  const known = patterns.get(source);
  if (known) return known;
  const whole = `^(?:${source})$`;
  let pattern: RegExp;
  try {
    pattern = new RegExp(whole, 'u');
  } catch {
    pattern = new RegExp(whole);
  }
  patterns.set(source, pattern);
  return pattern;
}

const sizeError = (size: number, { min, max }: ModelShape, at: string): string | undefined =>
  size < (min ?? Number.NEGATIVE_INFINITY) || size > (max ?? Number.POSITIVE_INFINITY)
    ? `${at} has ${size}, not ${min ?? ''} to ${max ?? ''}`
    : undefined;

function textError(value: string, shape: ModelShape, at: string): string | undefined {
  if (shape.enum && !shape.enum.includes(value))
    return `${at}: ${value} is none of ${shape.enum.slice(0, 9).join(', ')}`;
  if (shape.pattern !== undefined && !patternOf(shape.pattern).test(value))
    return `${at}: ${value} is not ${shape.pattern}`;
  return sizeError(value.length, shape, at);
}

const isOf: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  integer: (value) => Number.isSafeInteger(value),
  long: (value) => Number.isSafeInteger(value),
  double: (value) => typeof value === 'number',
  float: (value) => typeof value === 'number',
  timestamp: (value) => value instanceof Date && !Number.isNaN(value.getTime()),
  blob: (value) => value instanceof Uint8Array,
  list: (value) => Array.isArray(value),
  structure: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};

/**
 * What is wrong with a value by a service's model: type, values, pattern, limits, what must be there, and members that the model does not
 * know; undefined for nothing. Members that are undefined are not there.
 */
export function valueError(model: ServiceModel, name: string, value: unknown, at = name): string | undefined {
  const shape = shapeOf(model, name);
  if (!isOf[shape.type]?.(value)) return `${at} is not of type ${shape.type}`;
  if (typeof value === 'string') return textError(value, shape, at);
  if (typeof value === 'number') return sizeError(value, shape, at);
  if (Array.isArray(value)) {
    const of = shape.member?.shape ?? '';
    const wrong = sizeError(value.length, shape, at);
    return wrong ?? value.map((item, index) => valueError(model, of, item, `${at}[${index}]`)).find(Boolean);
  }
  if (shape.type !== 'structure') return undefined;
  const given = Object.entries(value as object).filter(([, one]) => one !== undefined);
  const missing = shape.required?.find((member) => !given.some(([known]) => known === member));
  if (missing !== undefined) return `${at}.${missing} is missing`;
  return given
    .map(([member, one]) => {
      const known = shape.members?.[member];
      return known ? valueError(model, known.shape, one, `${at}.${member}`) : `${at}.${member} is not in the model`;
    })
    .find(Boolean);
}
