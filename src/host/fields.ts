import { z } from 'zod';

/** Where an input exists: on the command line, as an input of the action, or (usually) both. */
type Faces = 'both' | 'cli' | 'action';

type FieldKind = 'text' | 'lines' | 'choice' | 'flag' | 'path' | 'secret' | 'integer';

/** What help, `action.yml` and the tables say about an input. Kept as the schema's own metadata. */
export interface FieldMeta {
  readonly kind: FieldKind;
  /** Whether it takes several values: a repeated flag, or one value a line in a workflow. */
  readonly repeatable: boolean;
  readonly required: boolean;
  /** An argument without a flag, in the order of declaration. */
  readonly positional: boolean;
  /** What stands after `--` is this input's alone. */
  readonly verbatim: boolean;
  readonly faces: Faces;
  /** The flag's name, where it is not the input's: `--tag` is given once for each of `tags`. */
  readonly flag: string | undefined;
  /** One letter: `A` gives `-A`. */
  readonly short: string | undefined;
  /** How help writes the value: `DEST`. */
  readonly placeholder: string;
  /** The allowed values, where they are a fixed set. */
  readonly allowed: readonly string[] | undefined;
  /** The default as text, as a person would write it; several for `lines`. */
  readonly fallback: readonly string[];
  /** Default in `action.yml` only, such as an expression over the `github` context. */
  readonly actionDefault: string | undefined;
}

declare module 'zod' {
  interface GlobalMeta {
    field?: FieldMeta;
  }
}

/** The schema of one input; made by the helpers below. */
export type Field<T = unknown> = z.ZodType<T>;

export type Fields = Readonly<Record<string, Field>>;

/** What `run` gets for a record of fields. */
export type InputsOf<F extends Fields> = { readonly [K in keyof F]: z.output<F[K]> };

interface Common {
  /** One or two sentences in plain Markdown, with a capital letter and a full stop. */
  readonly description: string;
  readonly positional?: boolean;
  readonly short?: string;
  /** The flag's name in camelCase, where it is not the input's. */
  readonly flag?: string;
  /** How help writes the value; the upper-case name without it. */
  readonly placeholder?: string;
  readonly faces?: Faces;
  readonly actionDefault?: string;
}

interface Presence<D> {
  readonly required?: boolean;
  readonly default?: D;
}

/** Undefined is possible only where the declaration has neither a default nor `required: true`. */
type Value<T, O> = O extends { required: true } ? T : O extends { default: string | number } ? T : T | undefined;

interface Parse<T> {
  /** Checks and converts the text; throws UserError. Runs before `run`, so that what it refuses is wrong use. */
  readonly parse?: (text: string) => T;
}

/** The metadata of a field; throws (a bug) for a schema that no helper here made. */
export function fieldMeta(field: Field): FieldMeta {
  const meta = field.meta()?.field;
  if (meta === undefined) throw new TypeError('an input must be made by a helper of host/fields.ts');
  return meta;
}

/** What the input is for, as declared. */
export const fieldDescription = (field: Field): string => field.meta()?.description ?? '';

const notEmpty = z.string({ error: 'expected a text' }).trim().min(1, 'must not be empty');

const describe = (
  schema: z.ZodType,
  kind: FieldKind,
  options: Common & { readonly required?: boolean },
  more: Partial<Pick<FieldMeta, 'allowed' | 'fallback' | 'repeatable' | 'verbatim'>> = {},
) =>
  schema.meta({
    description: options.description,
    field: {
      kind,
      repeatable: more.repeatable ?? false,
      required: options.required ?? false,
      positional: options.positional ?? false,
      verbatim: more.verbatim ?? false,
      faces: options.faces ?? 'both',
      flag: options.flag,
      short: options.short,
      placeholder: options.placeholder ?? '',
      allowed: more.allowed,
      fallback: more.fallback ?? [],
      actionDefault: options.actionDefault,
    },
  });

function presence<D extends string | number>(schema: z.ZodType, options: Presence<D>): z.ZodType {
  // prefault, not default: the default takes the same way as what a person writes, transforms included.
  if (options.default !== undefined) return schema.prefault(options.default);
  return options.required === true ? schema : schema.optional();
}

function textual<T>(kind: FieldKind, options: Common & Presence<string> & Parse<T>): Field {
  const { parse } = options;
  const schema = presence(notEmpty, options);
  const parsed =
    parse === undefined ? schema : schema.transform((text) => (typeof text === 'string' ? parse(text) : text));
  return describe(parsed, kind, options, { fallback: options.default === undefined ? [] : [options.default] });
}

interface TextHelper {
  <const O extends Presence<string>, T>(options: O & Common & Required<Parse<T>>): Field<Value<T, O>>;
  <const O extends Presence<string>>(options: O & Common): Field<Value<string, O>>;
}

/** One line of text. */
export const text: TextHelper = (options: Common & Presence<string> & Parse<unknown>) =>
  textual('text', options) as Field<never>;

/** A file or folder; relative ones are meant from `host.cwd`. Not resolved here. */
export const path = <const O extends Presence<string>>(options: O & Common): Field<Value<string, O>> =>
  textual('path', options) as Field<Value<string, O>>;

/**
 * A secret: masked before `run` starts. In a workflow it is an input; on the command line it comes from the
 * environment variable `NIX_IMAGES_<NAME>` or from the file that `--<name>-file` names, never from argv, where
 * every process of the machine could read it.
 */
export const secret = <const O extends { required?: boolean }>(options: O & Common): Field<Value<string, O>> =>
  textual('secret', options) as Field<Value<string, O>>;

/** One of `values`; an error lists them. */
export function choice<const V extends readonly [string, ...string[]], const O extends Presence<V[number]>>(
  values: V,
  options: O & Common,
): Field<Value<V[number], O>> {
  const fallback = options.default === undefined ? [] : [options.default];
  const schema = presence(z.enum(values), options);
  return describe(schema, 'choice', options, { allowed: values, fallback }) as Field<Value<V[number], O>>;
}

interface LinesOptions extends Common {
  /** Whether texts are taken as they are, empty ones and blanks too, and all that stands after `--`: arguments of another program. */
  readonly verbatim?: boolean;
  readonly required?: boolean;
  readonly default?: readonly string[];
}

function several(item: z.ZodType, options: LinesOptions, parse?: (text: string) => unknown): z.ZodType {
  const list = z.array(item);
  const present =
    options.required === true ? list.min(1, 'must not be empty') : list.prefault([...(options.default ?? [])]);
  return parse === undefined ? present : present.transform((items) => items.map((text) => parse(String(text))));
}

/** Several texts: a repeated flag, the remaining arguments, or one a line in a workflow. Empty when not given. */
export function lines<T = string>(options: LinesOptions & Parse<T>): Field<readonly T[]> {
  const schema = several(options.verbatim ? z.string() : notEmpty, options, options.parse);
  const more = { repeatable: true, fallback: options.default ?? [], verbatim: options.verbatim ?? false };
  return describe(schema, 'lines', options, more) as Field<readonly T[]>;
}

/** Several of `values`, otherwise as `lines`. */
export function choices<const V extends readonly [string, ...string[]]>(
  values: V,
  options: LinesOptions & { readonly default?: readonly V[number][] },
): Field<readonly V[number][]> {
  const more = { repeatable: true, allowed: values, fallback: options.default ?? [] };
  return describe(several(z.enum(values), options), 'lines', options, more) as Field<readonly V[number][]>;
}

/** True or false; false unless the default says otherwise. On the command line `--name` and `--no-name`. */
export function flag(options: Common & { readonly default?: boolean }): Field<boolean> {
  const fallback = options.default ?? false;
  const schema = z.boolean({ error: 'expected true or false' }).prefault(fallback);
  return describe(schema, 'flag', options, { fallback: [String(fallback)] }) as Field<boolean>;
}

/** A whole number, from `min` to `max` where they are given. */
export function integer<const O extends Presence<number>>(
  options: O & Common & { readonly min?: number; readonly max?: number },
): Field<Value<number, O>> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = options;
  const number = z.int({ error: 'expected a whole number' });
  const bounded = number.min(min, `must be at least ${min}`).max(max, `must be at most ${max}`);
  const fallback = options.default === undefined ? [] : [String(options.default)];
  return describe(presence(bounded, options), 'integer', options, { fallback }) as Field<Value<number, O>>;
}
