import { z } from 'zod';

/**
 * What kind of image an attribute is, told by the marks that the tools leave on their derivations. Nothing is built, and
 * of a derivation little more than the names of its attributes is evaluated.
 */

/** Images of other makers that are published as they are: see `src/foreign/`. */
export const FOREIGN_KINDS = ['archive', 'stream', 'nix2container'] as const;

export const foreignKindSchema = z.enum(FOREIGN_KINDS);

/** How an image of another maker is brought: a file or folder that holds it, a program that prints it, or a list of its layers. */
export type ForeignKind = z.infer<typeof foreignKindSchema>;

export const imageKindSchema = z.enum(['definition', ...FOREIGN_KINDS, 'disk']);

export type ImageKind = z.infer<typeof imageKindSchema>;

/** Outputs whose name says what a derivation without marks is. */
export const NAMED_OUTPUTS = ['dockerImages', 'ociImages', 'diskImages'] as const;

/** Outputs that hold images among other things: only what has the marks of an image is one. */
export const MIXED_OUTPUTS = ['containers', 'images', 'packages'] as const;

/** A derivation that makes an image of another maker, as `foreignOf` describes it. */
export const foreignAnswerSchema = z.object({
  kind: foreignKindSchema,
  /** `imageName`, with whatever registry stands in it; null where the derivation has none. */
  name: z.string().nullable(),
  tag: z.string().nullable(),
  drvPath: z.string(),
  output: z.string(),
  /** The output's path: `outPath` would make Nix print the whole set as that path. */
  path: z.string(),
  /** The system that builds it. */
  system: z.string().nullable(),
});

export type ForeignAnswer = z.infer<typeof foreignAnswerSchema>;

/**
 * Members of a `let`:
 *
 * - `kindOf v`: one of `imageKindSchema`, or null for what has no mark of an image;
 * - `kindUnder output v`: the same, but under `dockerImages`, `ociImages` and `diskImages` a derivation without marks
 *   is what the output's name says;
 * - `definitionOf v`: the image definition that `v` is or carries (`passthru.nixImage`), or null;
 * - `foreignOf kind v`: the derivation described, as `foreignAnswerSchema` reads it; only this instantiates it.
 *
 * Marks (nixpkgs dockerTools, nix2container, NixOS's image modules): an image has `imageName` and `imageTag`; one that
 * is streamed `isExe`, older ones a name that begins with `stream-`; nix2container adds `copyToRegistry`; disk images
 * carry `config` and `filePath`, those made by systemd-repart `repartConfigDirectory`.
 */
export const RECOGNISE = `
  isDerivation = v: builtins.isAttrs v && v.type or null == "derivation";
  isDefinition = v: builtins.isAttrs v && v ? schemaVersion && v ? kind;
  definitionOf = v:
    if isDefinition v then v
    else if isDerivation v && v ? nixImage && isDefinition v.nixImage then v.nixImage
    else null;
  hasMarks = names: v: builtins.all (name: v ? \${name} || builtins.isAttrs (v.passthru or null) && v.passthru ? \${name}) names;
  isStream = v: v.isExe or false == true || builtins.substring 0 7 (textOf (v.name or null)) == "stream-";
  textOf = v: if builtins.isString v then builtins.unsafeDiscardStringContext v else "";
  textOrNull = v: if textOf v == "" then null else textOf v;
  kindOf = v:
    if definitionOf v != null then "definition"
    else if !(isDerivation v) then null
    else if hasMarks [ "imageName" "imageTag" ] v then
      (if hasMarks [ "copyToRegistry" ] v then "nix2container" else if isStream v then "stream" else "archive")
    else if hasMarks [ "config" "filePath" ] v || hasMarks [ "repartConfigDirectory" ] v then "disk"
    else null;
  kindUnder = output: v:
    let kind = kindOf v; in
    if kind != null || !(isDerivation v) then kind
    else if output == "diskImages" then "disk"
    else if output == "dockerImages" || output == "ociImages" then (if isStream v then "stream" else "archive")
    else null;
  foreignOf = kind: v: {
    inherit kind;
    name = textOrNull (v.imageName or v.passthru.imageName or null);
    tag = textOrNull (v.imageTag or v.passthru.imageTag or null);
    drvPath = textOf v.drvPath;
    output = v.outputName or "out";
    path = textOf v.outPath;
    system = textOrNull (v.system or null);
  };
`;
