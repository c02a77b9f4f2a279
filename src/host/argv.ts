import { parseArgs } from 'node:util';
import { UserError } from '../core/error.ts';
import { lookUp } from '../core/lookup.ts';
import { didYouMean } from '../core/nearest.ts';
import { COMMON_FLAGS, type Command } from './command.ts';
import { type FieldMeta, type Fields, fieldMeta } from './fields.ts';
import type { RawInputs, RawValue } from './inputs.ts';
import { flagWord, kebab } from './names.ts';

/** What the words after the command's name say; nothing is checked against the fields' schemas yet. */
export interface Arguments {
  readonly help: boolean;
  readonly version: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly raw: RawInputs;
  /** Files to read secrets from, by the input's name. */
  readonly secretFiles: Readonly<Record<string, string>>;
}

interface Flag {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  readonly multiple?: boolean;
}

/** The inputs that exist on the command line. */
export const cliFields = (fields: Fields): (readonly [string, FieldMeta])[] =>
  Object.entries(fields)
    .map(([name, field]) => [name, fieldMeta(field)] as const)
    .filter(([, meta]) => meta.faces !== 'action');

function flagOf(name: string, meta: FieldMeta): [string, Flag] {
  const { kind, short, repeatable } = meta;
  const word = flagWord(name, meta);
  if (kind === 'secret') return [word, { type: 'string' }];
  const type = kind === 'flag' ? 'boolean' : 'string';
  return [word, { type, multiple: repeatable, ...(short === undefined ? {} : { short }) }];
}

function flagsOf(command: Command): Record<string, Flag> {
  const flags: Record<string, Flag> = {};
  for (const name of COMMON_FLAGS) flags[name] = { type: 'boolean' };
  flags.help = { type: 'boolean', short: 'h' };
  for (const [name, meta] of cliFields(command.inputs)) {
    if (meta.positional) continue;
    const [flag, option] = flagOf(name, meta);
    flags[flag] = option;
  }
  return flags;
}

/** The hint of every message about wrong use of `command`. */
export const helpHint = (command: Command): string => `nix-images ${command.name} --help lists what it takes.`;

const wrongUse = (command: Command, message: string): UserError =>
  new UserError('input', message, { hint: helpHint(command) });

/** What `parseArgs` accepts (a single flag twice) or reports without help: unknown flags, values missing or too many. */
function checkTokens(command: Command, args: string[], flags: Record<string, Flag>): void {
  const { tokens } = parseArgs({ args, options: flags, strict: false, tokens: true, allowNegative: true });
  const seen = new Set<string>();
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const flag = lookUp(flags, token.name);
    if (flag === undefined) {
      const elsewhere = Object.entries(command.inputs).some(
        ([name, field]) => kebab(name) === token.name && fieldMeta(field).faces === 'action',
      );
      if (elsewhere) throw wrongUse(command, `${token.rawName} is not a flag, but an input of the action alone`);
      // Without the dashes, which would count as letters that agree.
      const guess = didYouMean(token.name, Object.keys(flags), (name) => `--${name}`);
      throw wrongUse(command, `unknown flag ${token.rawName}.${guess}`);
    }
    if (flag.type === 'string' && seen.has(token.name) && flag.multiple !== true) {
      throw wrongUse(command, `--${token.name} is given twice, but takes one value`);
    }
    seen.add(token.name);
    if (flag.type === 'string' && token.value === undefined) throw wrongUse(command, `--${token.name} needs a value`);
    if (flag.type === 'string' && token.inlineValue === false && /^-./.test(token.value ?? '')) {
      throw wrongUse(
        command,
        `${token.rawName} needs a value; one that begins with a dash is written --${token.name}=${token.value}`,
      );
    }
    if (flag.type === 'boolean' && token.value !== undefined) throw wrongUse(command, `--${token.name} takes no value`);
  }
}

function parseStrictly(command: Command, args: string[], flags: Record<string, Flag>) {
  try {
    return parseArgs({ args, options: flags, strict: true, allowPositionals: true, allowNegative: true, tokens: true });
  } catch (error) {
    // What checkTokens does not name; parseArgs tells enough in its first line.
    if (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')) {
      throw wrongUse(command, error.message.split('\n')[0] ?? error.message);
    }
    throw error;
  }
}

/**
 * Arguments without a flag, given to the positional inputs in order; a repeatable one takes the rest. `after` are those after `--`, which
 * go to a verbatim input where the command has one, whatever was left out before.
 */
function takePositionals(
  command: Command,
  words: readonly string[],
  after: readonly string[],
): Record<string, RawValue> {
  const raw: Record<string, RawValue> = {};
  const fields = cliFields(command.inputs).filter(([, meta]) => meta.positional);
  const isApart = fields.some(([, meta]) => meta.verbatim);
  let rest = isApart ? [...words] : [...words, ...after];
  for (const [name, meta] of fields) {
    const own = meta.verbatim ? after : [];
    if (rest.length === 0 && own.length === 0) continue;
    raw[name] = meta.repeatable ? [...rest, ...own] : rest[0];
    rest = meta.repeatable ? [] : rest.slice(1);
  }
  if (rest.length > 0) throw wrongUse(command, `unexpected argument ${JSON.stringify(rest[0])}`);
  return raw;
}

function asRaw(value: unknown): RawValue {
  if (Array.isArray(value)) return value.map(String);
  return value === undefined ? undefined : String(value);
}

function asksHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end === -1 ? args : args.slice(0, end)).some((word) => word === '--help' || word === '-h');
}

const NOTHING: Arguments = { help: false, version: false, json: false, verbose: false, raw: {}, secretFiles: {} };

/** Reads the words after the command's name. Throws UserError `input` that names the nearest known flag. */
export function readArguments(command: Command, words: readonly string[]): Arguments {
  // Someone who asks for help may well have the rest wrong.
  if (asksHelp(words)) return { ...NOTHING, help: true };
  const args = [...words];
  const flags = flagsOf(command);
  checkTokens(command, args, flags);
  const { values, positionals, tokens } = parseStrictly(command, args, flags);
  const end = tokens.find(({ kind }) => kind === 'option-terminator')?.index ?? args.length;
  const before = tokens.filter(({ kind, index }) => kind === 'positional' && index < end).length;
  const raw = takePositionals(command, positionals.slice(0, before), positionals.slice(before));
  const secretFiles: Record<string, string> = {};
  for (const [name, meta] of cliFields(command.inputs)) {
    if (meta.positional) continue;
    const value = asRaw(values[flagOf(name, meta)[0]]);
    if (meta.kind !== 'secret') raw[name] = value;
    else if (typeof value === 'string') secretFiles[name] = value;
  }
  const common = { version: values.version === true, json: values.json === true };
  return { ...NOTHING, ...common, verbose: values.verbose === true, raw, secretFiles };
}
