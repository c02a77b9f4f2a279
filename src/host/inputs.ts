import type { z } from 'zod';
import { UserError } from '../core/error.ts';
import { didYouMean } from '../core/nearest.ts';
import { type Field, type FieldMeta, type Fields, fieldMeta, type InputsOf } from './fields.ts';

/** What a face read for one input: text as it was written, several for repeated flags, undefined when not given. */
export type RawValue = string | readonly string[] | undefined;

export type RawInputs = Readonly<Record<string, RawValue>>;

/** How the face at hand speaks of inputs. */
interface Spelling {
  readonly name: (name: string, meta: FieldMeta) => string;
  /** Where to read what the command takes. */
  readonly hint: string;
}

const splitLines = (text: string): string[] =>
  text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** Text to the JSON value it stands for; left alone where it stands for none, so that the schema refuses it. */
function decode(raw: RawValue, kind: FieldMeta['kind']): unknown {
  if (typeof raw !== 'string') return raw;
  const text = raw.trim();
  if (kind === 'lines') return splitLines(text);
  // The spellings of YAML 1.2's core schema, as GitHub's own actions take them.
  if (kind === 'flag' && /^(true|True|TRUE)$/.test(text)) return true;
  if (kind === 'flag' && /^(false|False|FALSE)$/.test(text)) return false;
  if (kind === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text);
  return raw;
}

function quoteRaw(raw: unknown): string {
  const shown = typeof raw === 'number' || (typeof raw === 'string' && raw !== '');
  return shown ? `, not ${JSON.stringify(raw)}` : '';
}

function sayIssue(issue: z.core.$ZodIssue, meta: FieldMeta, value: unknown): string {
  const index = typeof issue.path[0] === 'number' ? issue.path[0] : undefined;
  const item = Array.isArray(value) && index !== undefined ? value[index] : value;
  if (meta.kind === 'secret') return issue.message;
  if (meta.allowed !== undefined) {
    const guess = typeof item === 'string' ? didYouMean(item, meta.allowed) : '';
    return `expected ${meta.allowed.length > 1 ? 'one of ' : ''}${meta.allowed.join(', ')}${quoteRaw(item)}.${guess}`;
  }
  return `${issue.message}${quoteRaw(item)}`;
}

function withName(error: unknown, spelled: string): unknown {
  if (!(error instanceof UserError)) return error;
  const { hint, docs, cause } = error;
  return new UserError(error.code, `${spelled}: ${error.message}`, { hint, docs, cause });
}

/** The parsed value of one input, or what is wrong with it. Rethrows what the field's own `parse` threw. */
function parseField(field: Field, raw: RawValue, spelled: string): { value: unknown } | { problem: string } {
  const meta = fieldMeta(field);
  const value = decode(raw, meta.kind);
  if (value === undefined && meta.required) return { problem: `${spelled} is missing` };
  try {
    const result = field.safeParse(value);
    if (result.success) return { value: result.data };
    const issue = result.error.issues[0];
    return { problem: `${spelled}: ${issue === undefined ? 'is not valid' : sayIssue(issue, meta, value)}` };
  } catch (error) {
    throw withName(error, spelled);
  }
}

/**
 * Checks and converts what a face read. Throws UserError `input` that names every wrong input, or whatever
 * UserError a field's `parse` throws (`reference`), with the input's name put before its message.
 */
export function parseInputs<F extends Fields>(fields: F, raw: RawInputs, spelling: Spelling): InputsOf<F> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, field] of Object.entries(fields)) {
    const parsed = parseField(field, raw[name], spelling.name(name, fieldMeta(field)));
    if ('problem' in parsed) problems.push(parsed.problem);
    else values[name] = parsed.value;
  }
  if (problems.length > 0) throw new UserError('input', problems.join('\n'), { hint: spelling.hint });
  return values as InputsOf<F>;
}
