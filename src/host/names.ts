import type { FieldMeta } from './fields.ts';

/** `fromImage` as flags, inputs and outputs spell it: `from-image`. */
export const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const snake = (name: string): string => kebab(name).replaceAll('-', '_').toUpperCase();

/** Where the command line looks for a secret: `NIX_IMAGES_TOKEN`. */
export const secretVariable = (name: string): string => `NIX_IMAGES_${snake(name)}`;

/** The flag that names a file with a secret: `token-file`. */
const secretFileFlag = (name: string): string => `${kebab(name)}-file`;

/** Where GitHub's runner puts an input: upper case, spaces to underscores, dashes kept. */
export const inputVariable = (name: string): string => `INPUT_${kebab(name).replaceAll(' ', '_').toUpperCase()}`;

/** How help writes the value of an input. */
export const placeholderOf = (name: string, meta: FieldMeta): string => meta.placeholder || snake(name);

/** An input's flag, without dashes: `tag`, or `token-file` of a secret. */
export const flagWord = (name: string, { kind, flag }: FieldMeta): string =>
  kind === 'secret' ? secretFileFlag(name) : kebab(flag ?? name);

/** How a message on the command line names an input: `--to`, or `INSTALLABLE` for an argument without flag. */
export function cliSpelling(name: string, meta: FieldMeta): string {
  if (meta.positional) return placeholderOf(name, meta);
  return meta.kind === 'secret' ? `${secretVariable(name)} or --${flagWord(name, meta)}` : `--${flagWord(name, meta)}`;
}

/** How a message in a workflow names an input. */
export const actionSpelling = (name: string): string => `input ${kebab(name)}`;
