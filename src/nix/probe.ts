import { z } from 'zod';
import { foreignAnswerSchema, RECOGNISE } from './recognise.ts';

/**
 * The expression that `nix eval --apply` runs on a flake output or on a file's value: it walks an attribute path
 * and says what lies there, so that names are known for messages and one evaluation is enough.
 */

/** A Nix string literal of any text. */
export const nixString = (text: string): string => `"${text.replace(/["\\$]/g, '\\$&')}"`;

/** A Nix list of string literals. */
export const nixList = (parts: readonly string[]): string => `[ ${parts.map(nixString).join(' ')} ]`;

/** What lies where a name points, as the expression prints it. */
const foundSchema = z.discriminatedUnion('found', [
  z.object({ found: z.literal('definition'), definition: z.unknown() }),
  z.object({ found: z.literal('foreign'), foreign: foreignAnswerSchema }),
  z.object({ found: z.literal('disk'), name: z.string() }),
  z.object({ found: z.literal('derivation'), name: z.string() }),
  z.object({ found: z.literal('set'), names: z.array(z.string()) }),
  z.object({ found: z.literal('value'), type: z.string() }),
  /** `depth` parts of the path were found; `names` is what stands beside the one that is missing. */
  z.object({ found: z.literal('nothing'), depth: z.int(), names: z.array(z.string()) }),
]);

export type Found = z.infer<typeof foundSchema>;

export const probeAnswerSchema = foundSchema;

/** Systems of `systemsExpression`, as printed. */
export const systemsAnswerSchema = z.array(z.string());

// `outPath` makes Nix print the whole set as that path, so roots cross the border with `path` instead.
// A function with named arguments is called with the ones we know, as nix-build does on its way along a path.
const PRELUDE = `${RECOGNISE}
  call = v:
    if builtins.isFunction v && builtins.functionArgs v != { } then
      v (builtins.intersectAttrs (builtins.functionArgs v) (given // { inherit system; }))
    else
      v;
  root = r: if builtins.isAttrs r && r ? outPath then removeAttrs r [ "outPath" ] // { path = r.outPath; } else r;
  portable = d: if builtins.isList (d.roots or null) then d // { roots = map root d.roots; } else d;
  describe = v:
    if isDerivation v then { found = "derivation"; name = v.name or ""; }
    else if builtins.isAttrs v then { found = "set"; names = builtins.attrNames v; }
    else { found = "value"; type = if builtins.isFunction v then "function" else builtins.typeOf v; };
  arrive = v:
    let kind = kindUnder output v; in
    if kind == "definition" then { found = "definition"; definition = portable (definitionOf v); }
    else if kind == "disk" then { found = "disk"; name = textOf (v.name or null); }
    else if kind != null then { found = "foreign"; foreign = foreignOf kind v; }
    else if isDerivation v && v ? nixImage then describe v.nixImage
    else if builtins.isAttrs v && !(isDerivation v) && perSystem && v ? \${system} then arrive v.\${system}
    else describe v;
  walk = depth: v: path:
    let here = call v; name = builtins.head path; in
    if path == [ ] then arrive here
    else if !(builtins.isAttrs here) then { found = "nothing"; inherit depth; names = [ ]; }
    else if here ? \${name} then walk (depth + 1) here.\${name} (builtins.tail path)
    else { found = "nothing"; inherit depth; names = builtins.attrNames here; };
`;

export interface ProbeOptions {
  /** The output that is searched: its name may say what a derivation is. */
  readonly output: string;
  readonly system: string;
  readonly path: readonly string[];
  /** Whether an attribute set of systems at the end of the path is followed (files). */
  readonly perSystem: boolean;
  /** Further arguments for functions with named arguments, as `functionArguments` writes them. */
  readonly given?: string;
}

/** A function from an output or a file's value to what lies at `path`; its answer fits `probeAnswerSchema`. */
export const probeExpression = ({ output, system, path, perSystem, given = '{ }' }: ProbeOptions): string =>
  `top: let output = ${nixString(output)}; system = ${nixString(system)}; perSystem = ${perSystem}; given = ${given};${PRELUDE}in walk 0 top ${nixList(path)}`;

/**
 * The `--arg NAME EXPRESSION` and `--argstr NAME TEXT` among a person's arguments for Nix, as an attribute set: Nix
 * itself gives them to functions only on its own way along a path.
 */
export const functionArguments = (nixArgs: readonly string[]): string => {
  const members = nixArgs.flatMap((flag, at) => {
    const [name, value] = nixArgs.slice(at + 1, at + 3);
    if ((flag !== '--arg' && flag !== '--argstr') || name === undefined || value === undefined) return [];
    return [`${nixString(name)} = ${flag === '--arg' ? `(${value}\n)` : nixString(value)};`];
  });
  return `{ ${members.join(' ')} }`;
};

/**
 * A function from a flake output to those of `systems` that hold an image of that name; a package counts only when it is
 * one, for programs often have the same name as their image.
 */
export const systemsExpression = (
  systems: readonly string[],
  path: readonly string[],
  output: string,
): string => `top: let output = ${nixString(output)}; system = ""; perSystem = false; given = { };${PRELUDE}
  has = s:
    let found = walk 0 top ([ s ] ++ ${nixList(path)}); in
    ${output === 'packages' ? 'found.found == "definition" || found.found == "foreign"' : 'exists top ([ s ] ++ path)'};
  path = ${nixList(path)};
  exists = v: parts:
    parts == [ ] || builtins.isAttrs v && v ? \${builtins.head parts} && exists v.\${builtins.head parts} (builtins.tail parts);
  in builtins.filter has ${nixList(systems)}`;
