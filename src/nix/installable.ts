import { UserError } from '../core/error.ts';
import { isSystem, SYSTEMS, type System } from '../oci/system.ts';
import { MIXED_OUTPUTS, NAMED_OUTPUTS } from './recognise.ts';

/** Outputs that are nothing but images. */
export const IMAGE_OUTPUTS: readonly string[] = ['nixImages', ...NAMED_OUTPUTS];

/**
 * Outputs of a flake that are searched for a name, in their order. `legacyPackages` is last, as for Nix itself: to look
 * into it may cost an evaluation of nixpkgs.
 */
export const SEARCHED_OUTPUTS: readonly string[] = [...IMAGE_OUTPUTS, ...MIXED_OUTPUTS, 'legacyPackages'];

/** An image in a flake: `FLAKE#NAME`, or by its full path, `FLAKE#OUTPUT.SYSTEM.NAME`, which fixes output and system. */
interface FlakeInstallable {
  readonly kind: 'flake';
  readonly flake: string;
  /** The parts of the name, `default` when none was given. */
  readonly path: readonly string[];
  readonly output: string | undefined;
  /** Undefined beside an output where the systems are told apart from it. */
  readonly system: System | undefined;
}

/** An image in a Nix file: `--file FILE -A ATTR`; an empty path is the file's own value. */
interface FileInstallable {
  readonly kind: 'file';
  readonly file: string;
  readonly path: readonly string[];
}

export type Installable = FlakeInstallable | FileInstallable;

const HINT = 'Write it as FLAKE#NAME, for instance .#app or github:org/repo#app.';

const wrong = (text: string, why: string): UserError =>
  new UserError('input', `installable ${JSON.stringify(text)}: ${why}`, { hint: HINT });

/** Either a quoted part, where a backslash comes before a character that means something else without it, or a bare one. */
const PART = /"((?:[^"\\]|\\.)*)"|([^".]+)/y;

/** What `JSON.stringify`, which writes these parts, has for characters that end a line or a page. */
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };

const unescaped = (_whole: string, code: string | undefined, letter: string): string =>
  code === undefined ? (ESCAPES[letter] ?? letter) : String.fromCharCode(Number.parseInt(code, 16));

/**
 * Splits an attribute path at its dots; a part in double quotes may hold dots. Throws UserError `input`.
 * An empty text is the empty path.
 */
export function parseAttributePath(text: string): readonly string[] {
  const parts: string[] = [];
  const part = new RegExp(PART);
  while (part.lastIndex < text.length) {
    const start = part.lastIndex;
    const match = part.exec(text);
    const end = part.lastIndex;
    const isLast = end === text.length;
    if (!match || (!isLast && (text[end] !== '.' || end + 1 === text.length))) {
      throw wrong(text, `the attribute path is not legal at character ${start + 1}`);
    }
    parts.push(match[1]?.replace(/\\(?:u([0-9a-f]{4})|(.))/gi, unescaped) ?? match[2] ?? '');
    part.lastIndex = isLast ? end : end + 1;
  }
  return parts;
}

/** An attribute path as Nix takes it, with quotes only where they are needed. */
export const attributeText = (path: readonly string[]): string =>
  path.map((part) => (/^[A-Za-z_][A-Za-z0-9_'-]*$/.test(part) ? part : JSON.stringify(part))).join('.');

/** What a system's name looks like, whether images are built for it or not. */
const SYSTEM = /^[a-z0-9_]+-(linux|darwin|freebsd|netbsd|openbsd|windows|cygwin|none)$/;

function fullPath(text: string, parts: readonly string[]): Pick<FlakeInstallable, 'output' | 'system' | 'path'> {
  const [output = '', system, ...path] = parts;
  const isNamed = output === 'nixImages' || output === 'packages';
  if (system === undefined || !(isNamed || SYSTEM.test(system))) {
    return { output: undefined, system: undefined, path: parts };
  }
  if (isSystem(system)) return { output, system, path };
  throw wrong(text, `images are built for ${SYSTEMS.join(' and ')}, not for ${JSON.stringify(system)}`);
}

/** Reads `FLAKE#NAME`; without a name it is `default`. Throws UserError `input`. */
export function parseInstallable(text: string): FlakeInstallable {
  const hash = text.indexOf('#');
  const flake = hash < 0 ? text : text.slice(0, hash);
  const name = hash < 0 ? '' : text.slice(hash + 1);
  if (flake.startsWith('-')) throw wrong(text, 'it starts like an option');
  if (name.includes('^')) throw wrong(text, 'an image has no outputs to choose with ^');
  // A control character could only come from a broken script, and would garble every message.
  if (/\p{Cc}/u.test(text)) throw wrong(text, 'it holds a control character');
  const found = fullPath(text, parseAttributePath(name));
  return { kind: 'flake', flake: flake || '.', ...found, path: found.path.length > 0 ? found.path : ['default'] };
}

/** Reads `--file FILE` and `-A ATTR`. Throws UserError `input`. */
export function fileInstallable(file: string, attribute = ''): FileInstallable {
  if (file === '') throw new UserError('input', '--file names no file');
  return { kind: 'file', file, path: parseAttributePath(attribute) };
}

/** The installable as a person would write it. */
export function installableText(installable: Installable): string {
  if (installable.kind === 'file') {
    return `--file ${installable.file}${installable.path.length > 0 ? ` -A ${attributeText(installable.path)}` : ''}`;
  }
  const { flake, output, system, path } = installable;
  if (output === undefined) return `${flake}#${attributeText(path)}`;
  return `${flake}#${attributeText([output])}.${system ?? '<system>'}.${attributeText(path)}`;
}
