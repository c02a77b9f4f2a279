import { z } from 'zod';
import { nixList, nixString } from './probe.ts';
import { MIXED_OUTPUTS, NAMED_OUTPUTS, RECOGNISE, toolDiskAnswerSchema, toolImageAnswerSchema } from './recognise.ts';

/**
 * The expressions that look for images in a flake or in a file's value. Nothing is built; of what is not an image little
 * more than the names of its attributes is evaluated.
 */

/** Outputs of a flake in which images are looked for, the surest first: of one name's images the first is taken. */
export const DISCOVERY_OUTPUTS = ['nixImages', ...NAMED_OUTPUTS, ...MIXED_OUTPUTS] as const;

const CONFIGURATIONS = 'nixosConfigurations';

/** Where images are looked for: an attribute path, and in a file the system that its functions are called with. */
export interface Place {
  readonly path: readonly string[];
  readonly system: string | null;
}

export const placeSchema = z.object({ path: z.array(z.string()), system: z.string().nullable() });

/** What was found at a place. */
const entrySchema = z.discriminatedUnion('kind', [
  placeSchema.extend({ kind: z.literal('definition'), definition: z.unknown() }),
  placeSchema.extend({ kind: z.literal('image'), image: z.union([toolImageAnswerSchema, toolDiskAnswerSchema]) }),
  /** `throw` or `assert`; what it said is not known. `image` is whether it bears the marks of an image all the same. */
  placeSchema.extend({ kind: z.literal('throws'), image: z.boolean() }),
  /** No image, where an image was to be expected. */
  placeSchema.extend({ kind: z.literal('other'), type: z.string() }),
  /** Images of a system that none are built for. */
  placeSchema.extend({ kind: z.literal('system') }),
]);

export type Entry = z.infer<typeof entrySchema>;

export const entriesSchema = z.array(entrySchema);

export interface DiscoveryOptions {
  readonly systems: readonly string[];
  /** Names below `config.system.build.images` to look for in `nixosConfigurations`. */
  readonly variants: readonly string[];
  /** In a file, the attribute path of what is searched; undefined in a flake. */
  readonly base?: readonly string[] | undefined;
  /** Arguments for functions of a file, as `functionArguments` writes them. */
  readonly given?: string | undefined;
  /** Whether `throw` and `assert` become entries; otherwise they end the evaluation with their message. */
  readonly caught: boolean;
  /**
   * Where it is given, the evaluation says on standard error how far it is, each line beginning with this text: `enter`
   * before a place is looked at, `image` when it bears the marks of one, `set` and `child` for what is below it.
   */
  readonly marker?: string | undefined;
}

const nixPlace = ({ path, system }: Place): string =>
  `{ path = ${nixList(path)}; system = ${system === null ? 'null' : nixString(system)}; }`;

// `outPath` makes Nix print the whole set as that path, so roots cross the border with `path` instead.
const prelude = ({ systems, variants, base, given = '{ }', caught, marker }: DiscoveryOptions): string => `
  mark = event: place: v: ${
    marker === undefined
      ? 'v'
      : `builtins.trace "${marker} \${event} \${builtins.toJSON { inherit (place) path system; }}" v`
  };
  # What cannot be printed must fail in its place, not when all is printed.
  printable = entry: ${marker === undefined ? 'entry' : 'builtins.seq (builtins.toJSON entry) entry'};
  systems = ${nixList(systems)};
  variants = ${nixList(variants)};
  inFile = ${base !== undefined};
  isMixed = output: builtins.elem output ${nixList(MIXED_OUTPUTS)};
  baseDepth = ${base?.length ?? 0};
  given = ${given};
  attempt = x: ${caught ? 'builtins.tryEval (builtins.deepSeq x x)' : '{ success = true; value = x; }'};
  call = system: v:
    if builtins.isFunction v && builtins.functionArgs v != { } then
      v (builtins.intersectAttrs (builtins.functionArgs v) (given // { inherit system; }))
    else v;
  root = r: if builtins.isAttrs r && r ? outPath then removeAttrs r [ "outPath" ] // { path = r.outPath; } else r;
  portable = d: if builtins.isList (d.roots or null) then d // { roots = map root d.roots; } else d;
  isPlainSet = v: builtins.isAttrs v && !(isDerivation v) && !(isDefinition v);
  namesOf = v: if isPlainSet v then builtins.attrNames v else [ ];
  reach = place: v: if inFile then call place.system v else v;
  get = place: builtins.foldl' (v: name: reach place v.\${name}) (reach place top) place.path;
  depthOf = place: builtins.length place.path;
  outputOf = place: if inFile then "" else builtins.head place.path;
  ofNixos = place: outputOf place == "${CONFIGURATIONS}";
  below = names: place: name: place // { path = place.path ++ names ++ [ name ]; };
  carriesImage = v: isDerivation v && v ? nixImage;
  kindAt = place: v: if ofNixos place then "disk" else kindUnder (outputOf place) v;
  describe = place: v:
    let output = outputOf place; kind = (if carriesImage v then mark "image" place else v: v) (kindAt place v); in
    if kind == "definition" then mark "image" place { inherit kind; definition = portable (definitionOf v); }
    else if kind != null then mark "image" place { kind = "image"; image = toolImageOf kind v; }
    else if inFile && isPlainSet v && v ? \${place.system} then describe place v.\${place.system}
    else if inFile || isMixed output then null
    else { kind = "other"; type = if isDerivation v then "derivation" else builtins.typeOf v; };
  childrenOf = place: let v = get place; in
    if inFile && isPlainSet (v.\${place.system} or null) then
      map (below [ place.system ] place) (namesOf v.\${place.system})
    else if ofNixos place && depthOf place == 2 then
      map (below [ "config" "system" "build" "images" ] place)
        (builtins.filter (variant: v.config.system.build.images or { } ? \${variant}) variants)
    else map (below [ ] place) (namesOf v);
  isAbsent = place: !inFile && !(top ? \${builtins.head place.path});
  isForeign = place: !inFile && !(ofNixos place) && depthOf place == 2
    && !(builtins.elem (builtins.elemAt place.path 1) systems);
  # A file's value may be an image itself, or one for each system.
  isLeaf = place: let v = get place; in
    if !inFile then depthOf place > 2
    else depthOf place > baseDepth || kindOf v != null
      || isPlainSet v && v ? \${place.system} && !(isPlainSet v.\${place.system});
  leaf = place: let found = describe place (get place); in
    if found == null then [ ] else [ (printable (place // found)) ];
  announced = place: children: v:
    mark "set" place (builtins.seq (builtins.foldl' (done: child: mark "child" child done) null children) v);
  searchBelow = place: let children = childrenOf place; in announced place children (builtins.concatMap entriesOf children);
  looksLikeImage = place: let kind = builtins.tryEval (kindAt place (get place)); carries = builtins.tryEval (carriesImage (get place)); in
    if kind.success then kind.value != null else carries.success && carries.value;
  guarded = f: place: let found = attempt (mark "enter" place (f place)); in
    if found.success then found.value
    else [ (place // { kind = "throws"; image = isLeaf' place && looksLikeImage place; }) ];
  isLeaf' = place: let leaf = builtins.tryEval (isLeaf place); in leaf.success && leaf.value;
  entriesOf = place:
    if isAbsent place then [ ]
    else if isForeign place then (if isMixed (outputOf place) then [ ] else [ (place // { kind = "system"; }) ])
    else guarded (place: if isLeaf place then leaf place else searchBelow place) place;
`;

/** A function from a flake's outputs, or a file's value, to all that is found at and below `places`. */
export const entriesExpression = (places: readonly Place[], options: DiscoveryOptions): string =>
  `top: let${RECOGNISE}${prelude(options)}in builtins.concatMap entriesOf [ ${places.map(nixPlace).join(' ')} ]`;

/** Where to begin in a flake: its outputs. */
export const flakePlaces = (variants: readonly string[]): Place[] =>
  [...DISCOVERY_OUTPUTS, ...(variants.length > 0 ? [CONFIGURATIONS] : [])].map((output) => ({
    path: [output],
    system: null,
  }));

/** Where to begin in a file, once for each system. */
export const filePlaces = (base: readonly string[], systems: readonly string[]): Place[] =>
  systems.map((system) => ({ path: base, system }));
