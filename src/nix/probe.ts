import { z } from 'zod';
import { RECOGNISE, toolDiskAnswerSchema, toolImageAnswerSchema } from './recognise.ts';

/**
 * The expression that `nix eval --apply` runs on a whole flake or on a file's value: it walks attribute paths, for
 * several systems at once, and says what lies there, so that one evaluation gives every image and the names for messages.
 */

/** A Nix string literal of any text. */
export const nixString = (text: string): string => `"${text.replace(/["\\$]/g, '\\$&')}"`;

/** A Nix list of string literals. */
export const nixList = (parts: readonly string[]): string => `[ ${parts.map(nixString).join(' ')} ]`;

/** What lies where a name points, as the expression prints it. */
const foundSchema = z.discriminatedUnion('found', [
  z.object({ found: z.literal('definition'), definition: z.unknown() }),
  z.object({ found: z.literal('tool-image'), toolImage: toolImageAnswerSchema }),
  /** What was only asked for: an image, or whatever else is where images are; `system` where it says its own. */
  z.object({ found: z.literal('there'), system: z.string().nullable() }),
  z.object({ found: z.literal('disk'), toolDisk: toolDiskAnswerSchema }),
  z.object({ found: z.literal('derivation'), name: z.string() }),
  z.object({ found: z.literal('set'), names: z.array(z.string()) }),
  z.object({ found: z.literal('value'), type: z.string() }),
  /** `depth` parts of the path were found; `names` is what is beside the one that is missing. */
  z.object({ found: z.literal('nothing'), depth: z.int(), names: z.array(z.string()) }),
]);

export type Found = z.infer<typeof foundSchema>;

/** For each list of places, what was found at them; those behind the first that decides were not looked at. */
export const probeAnswerSchema = z.array(z.array(foundSchema));

/** A place where an image may be. */
export interface ProbePlace {
  /** The attribute path from the top of the flake or file. */
  readonly path: readonly string[];
  /** The system that functions on the way are called with. */
  readonly system: string;
  /** The output that it is listed under: its name may say what a derivation without marks is. */
  readonly output: string;
  /** Whether an attribute set of systems at the end of the path is followed. */
  readonly perSystem: boolean;
  /** Whether whatever is here ends the search; otherwise only an image does, for programs have the same names. */
  readonly decides: boolean;
  /** Whether the image is wanted; otherwise it is only asked whether there is one. */
  readonly whole: boolean;
}

/**
 * What Nix prints on standard error before it looks at a place: the last one says where an evaluation died. The number
 * counts all places of an expression.
 */
const MARK = 'nix-images: place ';

const MARK_LINE = new RegExp(`^trace: ${MARK}(\\d+)$`);

/** The number of the place that a line of standard error tells of; undefined for other lines. */
export function markedPlace(line: string): number | undefined {
  const [, number] = MARK_LINE.exec(line) ?? [];
  return number === undefined ? undefined : Number(number);
}

// `outPath` makes Nix print the whole set as that path, so roots cross the border with `path` instead.
// A function with named arguments is called with the ones we know, as nix-build does on its way along a path.
const PRELUDE = `${RECOGNISE}
  call = at: v:
    if builtins.isFunction v && builtins.functionArgs v != { } then
      v (builtins.intersectAttrs (builtins.functionArgs v) (given // { inherit (at) system; }))
    else
      v;
  root = r: if builtins.isAttrs r && r ? outPath then removeAttrs r [ "outPath" ] // { path = r.outPath; } else r;
  portable = d: if builtins.isList (d.roots or null) then d // { roots = map root d.roots; } else d;
  describe = v:
    if isDerivation v then { found = "derivation"; name = v.name or ""; }
    else if builtins.isAttrs v then { found = "set"; names = builtins.attrNames v; }
    else { found = "value"; type = if builtins.isFunction v then "function" else builtins.typeOf v; };
  there = system: { found = "there"; inherit system; };
  arrive = at: v:
    let kind = kindUnder at.output v; in
    if kind == "definition" then
      let definition = definitionOf v; in
      if at.whole then { found = "definition"; definition = portable definition; }
      else there (definition.system or null)
    else if kind != null then
      let toolImage = toolImageOf kind v; in
      if at.whole then (if kind == "disk" then { found = "disk"; toolDisk = toolImage; } else { found = "tool-image"; inherit toolImage; }) else there (if toolImage.hostSystem != null then toolImage.hostSystem else toolImage.system)
    else if isDerivation v && v ? nixImage then describe v.nixImage
    else if builtins.isAttrs v && !(isDerivation v) && at.perSystem && v ? \${at.system} then arrive at v.\${at.system}
    else describe v;
  walk = at: depth: v: path:
    let here = call at v; name = builtins.head path; in
    if path == [ ] then (if at.decides && !at.whole && !at.perSystem then there null else arrive at here)
    else if !(builtins.isAttrs here) then { found = "nothing"; inherit depth; names = [ ]; }
    else if here ? \${name} then walk at (depth + 1) here.\${name} (builtins.tail path)
    else { found = "nothing"; inherit depth; names = builtins.attrNames here; };
  look = at: builtins.trace "${MARK}\${toString at.number}" (walk at 0 top at.path);
  ends = at: { found, ... }:
    if at.decides then found != "nothing" else builtins.elem found [ "definition" "tool-image" "disk" "there" ];
  search = places:
    if places == [ ] then [ ]
    else let at = builtins.head places; found = look at; in
      [ found ] ++ (if ends at found then [ ] else search (builtins.tail places));
`;

const nixPlace = ({ path, system, output, perSystem, decides, whole }: ProbePlace, number: number): string =>
  `{ path = ${nixList(path)}; system = ${nixString(system)}; output = ${nixString(output)}; perSystem = ${perSystem}; ` +
  `decides = ${decides}; whole = ${whole}; number = ${number}; }`;

/**
 * A function from a whole flake or a file's value to what lies at the places of each list, which are tried in their order
 * until one decides. Its answer fits `probeAnswerSchema`. `given` are further arguments for functions with named
 * arguments, as `functionArguments` writes them.
 */
export function probeExpression(lists: readonly (readonly ProbePlace[])[], given = '{ }'): string {
  let number = 0;
  const texts = lists.map((places) => `(search [ ${places.map((place) => nixPlace(place, number++)).join(' ')} ])`);
  return `top: let given = ${given};${PRELUDE}in builtins.seq top [ ${texts.join(' ')} ]`;
}

/**
 * The `--arg NAME EXPRESSION` and `--argstr NAME TEXT` among a person's arguments for Nix, as an attribute set: Nix
 * itself gives them to functions only on its own way along a path.
 */
export function functionArguments(nixArgs: readonly string[]): string {
  const members = nixArgs.flatMap((flag, at) => {
    const [name, value] = nixArgs.slice(at + 1, at + 3);
    if ((flag !== '--arg' && flag !== '--argstr') || name === undefined || value === undefined) return [];
    return [`${nixString(name)} = ${flag === '--arg' ? `(${value}\n)` : nixString(value)};`];
  });
  return `{ ${members.join(' ')} }`;
}
