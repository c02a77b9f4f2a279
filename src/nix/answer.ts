import { z } from 'zod';
import { decodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import { type Definition, definitionSchema } from '../definition/definition.ts';
import { type DiskDefinition, diskDefinitionSchema } from '../definition/disk-definition.ts';

/** Bytes of JSON that an evaluation may print: 10,000 roots take 3 MB, so more is a mistake or an attack. */
const ANSWER_LIMIT = 64 * 1024 * 1024;

/** Problems of a definition that are listed at most. */
const ISSUES = 5;

/** Reads what nix printed as JSON of a given form. Throws UserError `evaluation`. */
export function parseAnswer<T>(what: string, text: string, schema: z.ZodType<T>): T {
  if (text.length > ANSWER_LIMIT) {
    throw new UserError('evaluation', `evaluating ${what} printed ${text.length} bytes, more than ${ANSWER_LIMIT}`);
  }
  return decodeJson(text, schema, {
    code: 'evaluation',
    what: `the output of evaluating ${what}`,
    mismatch: 'does not have the expected form',
    isShown: true,
  });
}

const portableSchema = z.looseObject({ roots: z.array(z.looseObject({ path: z.string() })) });

/** Roots cross the border with `path` for `outPath`, which JSON of Nix cannot hold. */
function withOutPaths(value: unknown): unknown {
  const parsed = portableSchema.safeParse(value);
  if (!parsed.success) return value;
  return { ...parsed.data, roots: parsed.data.roots.map(({ path, ...root }) => ({ ...root, outPath: path })) };
}

const placeText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    const name = String(key);
    return /^[A-Za-z_]\w*$/.test(name) ? `${text}${text && '.'}${name}` : `${text}[${JSON.stringify(name)}]`;
  }, '');

/** What is wrong; of a key in a record zod itself says only that it is not valid. */
const reasonOf = (issue: z.core.$ZodIssue): string =>
  issue.code === 'invalid_key' ? issue.issues.map(({ message }) => message).join(', ') : issue.message;

function issueText(issue: z.core.$ZodIssue): string {
  const place = placeText(issue.path);
  return place ? `${place}: ${reasonOf(issue)}` : reasonOf(issue);
}

/** Definitions have less than ten levels; what is deeper does not fit the schema in any case. */
const DEEPEST = 20;

/** Where `__proto__` is used as a name: zod leaves it out silently, because it would change the object itself. */
function protoIn(value: unknown, path: readonly PropertyKey[] = []): readonly PropertyKey[] | undefined {
  if (typeof value !== 'object' || value === null || path.length > DEEPEST) return undefined;
  for (const [key, member] of Object.entries(value)) {
    const found = key === '__proto__' ? [...path, key] : protoIn(member, [...path, key]);
    if (found) return found;
  }
  return undefined;
}

/** Accepts the definition of an image as Nix printed it. Throws UserError `definition` that names the fields. */
export const parseDefinition = (what: string, value: unknown): Definition =>
  parseAs(what, value, {
    schema: definitionSchema,
    invalid: 'is not a valid image definition:',
    hint: 'Correct it in the arguments of mkImage.',
    docs: 'definition.md#arguments',
  });

/** The same for that of a disk. */
export const parseDiskDefinition = (what: string, value: unknown): DiskDefinition =>
  parseAs(what, value, {
    schema: diskDefinitionSchema,
    invalid: 'is not a valid disk definition:',
    hint: 'Correct it in the arguments of mkDisk.',
    docs: 'disks.md#arguments',
  });

/** Whether a definition says of itself that it describes a disk. */
export const isDiskDefinition = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'disk';

interface Form<T> {
  readonly schema: z.ZodType<T>;
  readonly invalid: string;
  readonly hint: string;
  readonly docs: string;
}

function parseAs<T>(what: string, value: unknown, { schema, invalid, hint, docs }: Form<T>): T {
  const parsed = schema.safeParse(withOutPaths(value));
  const proto = protoIn(value);
  if (parsed.success && !proto) return parsed.data;
  const problems = [
    ...(proto ? [`${placeText(proto)}: the name __proto__ cannot be used`] : []),
    ...(parsed.error?.issues.map(issueText) ?? []),
  ];
  const more = problems.length > ISSUES ? [`and ${problems.length - ISSUES} more`] : [];
  const text = [...problems.slice(0, ISSUES), ...more].join('; ');
  throw new UserError('definition', `${what} ${invalid} ${text}`, { hint, docs });
}
