import { z } from 'zod';

/**
 * What kind of image an attribute is, told by the marks that the tools leave on their derivations. Nothing is built, and
 * of a derivation little more than the names of its attributes is evaluated.
 */

/** Images of other makers that are published as they are: see `src/image/`. */
const TOOL_IMAGE_KINDS = ['archive', 'stream', 'nix2container'] as const;

const toolImageKindSchema = z.enum(TOOL_IMAGE_KINDS);

/** How an image of another tool is handed over: a file or folder that holds it, a program that prints it, or a list of its layers. */
export type ToolImageKind = z.infer<typeof toolImageKindSchema>;

export const imageKindSchema = z.enum(['definition', ...TOOL_IMAGE_KINDS, 'disk']);

export type ImageKind = z.infer<typeof imageKindSchema>;

/** Outputs whose name says what a derivation without marks is. */
export const NAMED_OUTPUTS = ['dockerImages', 'ociImages', 'diskImages'] as const;

/** Outputs that hold images among other things: only what has the marks of an image is one. */
export const MIXED_OUTPUTS = ['containers', 'images', 'packages'] as const;

/** A derivation that makes an image of another maker, as `toolImageOf` describes it. */
export const toolImageAnswerSchema = z.object({
  kind: toolImageKindSchema,
  /** `imageName`, with whatever registry is in it; null where the derivation has none. */
  name: z.string().nullable(),
  tag: z.string().nullable(),
  drvPath: z.string(),
  output: z.string(),
  /** The output's path: `outPath` would make Nix print the whole set as that path. */
  path: z.string(),
  /** The system that builds it. */
  system: z.string().nullable(),
  /** The system that it runs on; null where the derivation does not say. */
  hostSystem: z.string().nullable(),
});

export type ToolImageAnswer = z.infer<typeof toolImageAnswerSchema>;

/** A derivation that makes a disk, described in the same way. */
export const toolDiskAnswerSchema = toolImageAnswerSchema.extend({
  kind: z.literal('disk'),
  /** What it says of where the disk is in its output (NixOS: `passthru.filePath`). */
  filePath: z.string().nullable(),
});

export type ToolDiskAnswer = z.infer<typeof toolDiskAnswerSchema>;

/**
 * Members of a `let`:
 *
 * - `kindOf v`: one of `imageKindSchema`, or null for what has no mark of an image;
 * - `kindUnder output v`: the same, but under `dockerImages`, `ociImages` and `diskImages` a derivation without marks
 *   is what the output's name says;
 * - `definitionOf v`: the image definition that `v` is or carries (`passthru.nixImage`), or null;
 * - `toolImageOf kind v`: the derivation described, as `toolImageAnswerSchema` and `toolDiskAnswerSchema` read it; only this
 *   instantiates it.
 *
 * Marks (nixpkgs dockerTools, nix2container, NixOS's image modules): an image has `imageName` and `imageTag`; one that
 * is streamed `isExe`, older ones a name that begins with `stream-`; nix2container adds `copyToRegistry`; disk images
 * carry `config` and `filePath`, those made by systemd-repart `repartConfigDirectory`. `buildLayeredImage` passes on the
 * marks of the stream that it packs, `isExe` too, so `stream` and a name that ends as an archive's go before them. A
 * name proves nothing, so builds look at the file itself (`src/image/`).
 *
 * A tag that nobody gave is the hash of a store path: of the image, or of the `conf` of the stream that it comes from.
 * buildLayeredImage gave no access to that before March 2024, so there any such hash counts.
 */
export const RECOGNISE = `
  isDerivation = v: builtins.isAttrs v && v.type or null == "derivation";
  isDefinition = v: builtins.isAttrs v && v ? schemaVersion && v ? kind;
  definitionOf = v:
    if isDefinition v then v
    else if isDerivation v && v ? nixImage && isDefinition v.nixImage then v.nixImage
    else null;
  hasMarks = names: v: builtins.all (name: v ? \${name} || builtins.isAttrs (v.passthru or null) && v.passthru ? \${name}) names;
  isStream = v:
    let
      name = textOf (v.name or null);
      beginsAsStream = builtins.substring 0 7 name == "stream-";
      endsAsArchive = builtins.match ".*[.](tar([.][a-z0-9]+)?|tgz)" name != null;
      isExe = v.isExe or false == true;
    in
    !(hasMarks [ "stream" ] v) && (if endsAsArchive then isExe && beginsAsStream else isExe || beginsAsStream);
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
  hashOf = v: builtins.substring 0 32 (baseNameOf (textOf (v.outPath or null)));
  isOwnHash = v: tag:
    builtins.elem tag (map hashOf [ v (v.conf or { }) (v.stream.conf or { }) ])
    || !(v ? buildArgs || v ? stream || v ? conf || v ? copyToRegistry)
      && builtins.match "[0-9a-df-np-sv-z]{32}" tag != null && builtins.match "[0-9a-f]*" tag == null;
  architectures = { amd64 = "x86_64-linux"; arm64 = "aarch64-linux"; };
  hostSystemOf = v:
    let architecture = v.buildArgs.architecture or null; in
    if builtins.isString architecture then architectures.\${architecture} or "\${textOf architecture}-linux"
    else textOrNull (v.stdenv.hostPlatform.system or null);
  toolImageOf = kind: v: {
    inherit kind;
    name = textOrNull (v.imageName or v.passthru.imageName or null);
    tag = let tag = textOrNull (v.imageTag or v.passthru.imageTag or null); in
      if tag != null && isOwnHash v tag then null else tag;
    drvPath = textOf v.drvPath;
    output = v.outputName or "out";
    path = textOf v.outPath;
    system = textOrNull (v.system or null);
    hostSystem = hostSystemOf v;
  } // (if kind == "disk" then { filePath = textOrNull (v.filePath or v.passthru.filePath or null); } else { });
`;
