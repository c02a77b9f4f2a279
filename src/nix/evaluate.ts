import type { Definition } from '../image/definition.ts';
import { SYSTEMS, type System } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import { settleRoots } from './ambiguous-roots.ts';
import { parseAnswer, parseDefinition } from './answer.ts';
import { evaluationFailure } from './failure.ts';
import { type Foreign, parseForeign } from './foreign.ts';
import {
  attributeText,
  type FileInstallable,
  type FlakeInstallable,
  IMAGE_OUTPUTS,
  type ImageOutput,
  type Installable,
  installableText,
} from './installable.ts';
import type { Nix } from './nix.ts';
import { notAnImage, type Searched, unknownAttribute } from './not-image.ts';
import {
  type Found,
  functionArguments,
  probeAnswerSchema,
  probeExpression,
  systemsAnswerSchema,
  systemsExpression,
} from './probe.ts';

interface Place {
  readonly system: System;
  /** The attribute path, such as `nixImages.x86_64-linux.app`. */
  readonly attribute: string;
}

/** An image and where it was found: a definition, or a derivation that makes an image with another tool. */
export type Evaluated =
  | (Place & { readonly kind: 'definition'; readonly definition: Definition })
  | (Place & { readonly kind: 'foreign'; readonly foreign: Foreign });

/**
 * `eval-cache` is off: an answer from the cache says nothing about whether the derivations that it names were
 * written to the store, or are still there.
 */
const EVAL = ['eval', '--json', '--option', 'eval-cache', 'false'];

// What nix says of an output that the flake does not have, in every version.
const NO_OUTPUT = /does not provide attribute/;

/** Applies a function to a flake's output; undefined when the flake has no such output. `path` is for messages. */
const applyToOutput = async (
  nix: Nix,
  { flake }: FlakeInstallable,
  [output, ...path]: readonly [ImageOutput, ...string[]],
  expression: string,
): Promise<string | undefined> => {
  const flags = ['--no-write-lock-file', ...nix.nixArgs];
  const result = await nix.command([...EVAL, ...flags, '--apply', expression, `${flake}#${output}`], streamed(nix));
  if (result.exitCode === 0) return result.stdout;
  if (NO_OUTPUT.test(result.stderr) && result.stderr.includes(`'${output}'`)) return undefined;
  throw evaluationFailure(`${flake}#${attributeText([output, ...path])}`, result.stderr);
};

const applyToFile = async (nix: Nix, { file, path }: FileInstallable, expression: string): Promise<string> => {
  // The empty path names the file's own value, which the expression walks and calls itself.
  const result = await nix.command([...EVAL, ...nix.nixArgs, '--apply', expression, '--file', file, ''], streamed(nix));
  if (result.exitCode === 0) return result.stdout;
  throw evaluationFailure(`--file ${file} ${attributeText(path)}`.trim(), result.stderr);
};

const streamed = (nix: Nix) => ({ onStderrLine: (line: string) => nix.log.debug(line) });

const agreeOnSystem = (what: string, system: System, definition: Definition): System => {
  if (definition.system === null || definition.system === system) return system;
  throw new UserError('definition', `${what} stands under ${system} but holds programs of ${definition.system}`, {
    hint: `take its packages from the package set of ${system}, or leave 'system' out`,
    docs: 'definition.md',
  });
};

type FoundImage = Extract<Found, { found: 'definition' | 'foreign' }>;

const isImage = (found: Found): found is FoundImage => found.found === 'definition' || found.found === 'foreign';

const finish = async (nix: Nix, path: readonly string[], system: System, found: FoundImage): Promise<Evaluated> => {
  const text = attributeText(path) || 'the image of the file';
  const attribute = attributeText(path);
  if (found.found === 'foreign') {
    return { kind: 'foreign', foreign: parseForeign(text, found.foreign, path.at(-1) ?? ''), system, attribute };
  }
  const definition = parseDefinition(text, found.definition);
  agreeOnSystem(text, system, definition);
  return { kind: 'definition', definition: await settleRoots(nix, definition), system, attribute };
};

const inFlake = async (nix: Nix, installable: FlakeInstallable, system: System): Promise<Evaluated> => {
  const what = installableText(installable);
  const path = [system, ...installable.path];
  const searched: Searched[] = [];
  const absent: string[] = [];
  for (const output of outputsOf(installable)) {
    const expression = probeExpression({ output, system, path, perSystem: false });
    const answer = await applyToOutput(nix, installable, [output, ...path], expression);
    if (answer === undefined) {
      if (!isOptional(output)) absent.push(output);
      continue;
    }
    const found = parseAnswer(what, answer, probeAnswerSchema);
    const attribute = [output, ...path];
    if (isImage(found)) return finish(nix, attribute, system, found);
    if (found.found !== 'nothing') throw notAnImage(what, attribute, found);
    searched.push({ place: attribute, depth: found.depth + 1, names: found.names });
  }
  const elsewhere = installable.system === undefined ? await systemsOfFlake(nix, installable).catch(() => []) : [];
  throw unknownAttribute(`${what} for ${system}`, searched, { absent, elsewhere });
};

const fileExpression = (nix: Nix, { path }: FileInstallable, system: System): string =>
  probeExpression({ output: path[0] ?? '', system, path, perSystem: true, given: functionArguments(nix.nixArgs) });

const inFile = async (nix: Nix, installable: FileInstallable, system: System): Promise<Evaluated> => {
  const what = installableText(installable);
  const expression = fileExpression(nix, installable, system);
  const found = parseAnswer(what, await applyToFile(nix, installable, expression), probeAnswerSchema);
  if (isImage(found)) return finish(nix, installable.path, system, found);
  if (found.found !== 'nothing') throw notAnImage(what, installable.path, found);
  throw unknownAttribute(what, [{ place: installable.path, depth: found.depth, names: found.names }]);
};

/** Outputs that few flakes have; that they are missing explains nothing. */
const isOptional = (output: ImageOutput): boolean => output !== 'nixImages' && output !== 'packages';

const outputsOf = ({ output }: FlakeInstallable): readonly ImageOutput[] => (output ? [output] : IMAGE_OUTPUTS);

/**
 * Evaluates the image that `installable` names for one system; builds nothing. In a flake `nixImages.<system>.NAME`
 * goes before the same name in `IMAGE_OUTPUTS` that follow; in a file the attribute is a definition or a set of them by system.
 * Throws UserError: `evaluation` (no such attribute, no image, nix failed), `definition` (does not fit the schema, or
 * is of another system), `input` (the installable fixes another system).
 */
export const evaluateImage = async (nix: Nix, installable: Installable, system: System): Promise<Evaluated> => {
  if (installable.kind === 'file') return inFile(nix, installable, system);
  if (installable.system !== undefined && installable.system !== system) {
    throw new UserError('input', `${installableText(installable)} is of ${installable.system}, not of ${system}`, {
      hint: 'name the image without its system, as FLAKE#NAME, to have it for others',
    });
  }
  return inFlake(nix, installable, system);
};

/** A file is asked once per system: it may be a function of the system, or hold a set by system. */
const systemsOfFile = async (nix: Nix, installable: FileInstallable): Promise<readonly System[]> => {
  const what = installableText(installable);
  const systems: System[] = [];
  for (const system of SYSTEMS) {
    const expression = fileExpression(nix, installable, system);
    const found = parseAnswer(what, await applyToFile(nix, installable, expression), probeAnswerSchema);
    if (!isImage(found)) continue;
    // Another tool's image is what its derivation is, unless the expression was asked for the system.
    const own = found.found === 'foreign' ? found.foreign.system : parseDefinition(what, found.definition).system;
    if (own === null || own === system) systems.push(system);
  }
  return systems;
};

const systemsOfFlake = async (nix: Nix, installable: FlakeInstallable): Promise<readonly System[]> => {
  for (const output of outputsOf(installable)) {
    const expression = systemsExpression(SYSTEMS, installable.path, output);
    const answer = await applyToOutput(nix, installable, [output], expression);
    const found = answer === undefined ? [] : parseAnswer(installableText(installable), answer, systemsAnswerSchema);
    const systems = SYSTEMS.filter((system) => found.includes(system));
    if (systems.length > 0) return systems;
  }
  return [];
};

/**
 * The systems for which the image exists, in the order of `SYSTEMS`; never empty. The first output of a flake that
 * has the name decides. Throws what `evaluateImage` throws when the name is nowhere.
 */
export const systemsOf = async (nix: Nix, installable: Installable): Promise<readonly System[]> => {
  if (installable.kind === 'flake' && installable.system !== undefined) return [installable.system];
  const systems =
    installable.kind === 'file' ? await systemsOfFile(nix, installable) : await systemsOfFlake(nix, installable);
  if (systems.length > 0) return systems;
  const { system } = await evaluateImage(nix, installable, SYSTEMS[0]);
  return [system];
};
