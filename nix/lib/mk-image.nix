# From what a user writes to the image definition, schema version 1 (nix/schema/image-definition.v1.json).
let
  inherit (import ./check.nix) attrsOf plain isDerivationLike;
  inherit (import ./other-makers.nix) argumentsOf;
  inherit (import ./roots.nix) rootsOf plainRoots;
  inherit (import ./files.nix) filesOf;
  inherit (import ./accounts.nix) usersOf groupsOf;
  inherit (import ./config.nix) configOf;
  inherit (import ./compression.nix) compressionOf;
  inherit (import ./tests.nix) testsOf;

  systems = import ./systems.nix;

  known = import ./arguments.nix;

  hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;

  toList = value: if builtins.isList value then value else [ value ];

  inStore = hasPrefix "${builtins.storeDir}/";

  # A tree for the image's root: whole store paths only, for the engine merges them as they are.
  treeOf =
    argument: value:
    let
      path = "${value}";
      whole = builtins.match "${builtins.storeDir}/[^/]+" (builtins.unsafeDiscardStringContext path) != null;
    in
    if !(builtins.isPath value || isDerivationLike value || builtins.isString value) then
      throw "mkImage: ${argument}: expected derivations, paths or strings, got a ${builtins.typeOf value}"
    else if whole then
      path
    else
      throw "mkImage: ${argument}: '${path}' is not a whole store path";

  # Base images: `name@sha256:…`, or an archive in the store.
  baseOf =
    value:
    let
      text = "${value}";
      pinned = builtins.match ".+@sha256:[0-9a-f]{64}" (builtins.unsafeDiscardStringContext text) != null;
    in
    if value == null then
      null
    else if builtins.isAttrs value && value ? copyToRegistry then
      throw "mkImage: fromImage: '${value.name}' is nix2container's list of layers; give an archive, as its copyTo writes one to docker-archive:FILE, or the image in a registry as name@sha256:…"
    else if builtins.isAttrs value && value.isExe or false == true && !(value ? stream) then
      throw "mkImage: fromImage: '${value.name}' is a script that prints an image; give what it prints: buildLayeredImage instead of streamLayeredImage, or a derivation with the command \"${value} > $out\""
    else if inStore text || pinned then
      text
    else
      throw "mkImage: fromImage: '${text}' has no digest; write it as name@sha256:…, or give an archive";

  # When the image was made, as text or in seconds.
  createdOf =
    value:
    if value == "now" then
      throw "mkImage: created: \"now\" would make another image each time; give a time such as \"2026-01-31T12:00:00Z\", or self.lastModified for that of the last commit"
    else if value == null || builtins.isString value || builtins.isInt value then
      value
    else
      throw "mkImage: created: expected a time such as \"2026-01-31T12:00:00Z\" or seconds since 1970, got a ${builtins.typeOf value}";

  # What the programs run on, which is not what they are built on when they are cross-compiled.
  systemOf = derivation: derivation.stdenv.hostPlatform.system or derivation.system or null;

  inferSystem =
    values:
    let
      found = builtins.filter (system: system != null) (map systemOf (builtins.filter builtins.isAttrs values));
      system = builtins.head found;
    in
    if found == [ ] then
      null
    else if builtins.elem system systems then
      system
    else
      throw "mkImage: packages of ${system} cannot run in an image; take those of ${builtins.concatStringsSep " or " systems}";

  # What the programs are built on.
  builderOf =
    values:
    let
      found = builtins.filter (system: system != null) (map (value: value.system or null) (builtins.filter builtins.isAttrs values));
    in
    if found == [ ] then null else builtins.head found;
in
given:
let
  args = argumentsOf "mkImage" known (attrsOf "mkImage" given);
  copyToRoot = toList (args.copyToRoot or [ ]);
  replaceable = toList (args.replaceable or [ ]);
  trees = copyToRoot ++ replaceable;
  fileSources = map (file: file.source or file) (
    builtins.filter builtins.isAttrs (builtins.attrValues (args.files or { }))
  );
  image = {
    schemaVersion = 1;
    kind = "oci";
    name = args.name or (throw "mkImage: 'name' is missing");
    tag = args.tag or null;
    system = args.system or (inferSystem (trees ++ fileSources));
    buildSystem = builderOf (trees ++ fileSources);
    copyToRoot = map (treeOf "copyToRoot") copyToRoot;
    replaceable = map (treeOf "replaceable") replaceable;
    rootFiles = args.rootFiles or "link";
    config = configOf (args.config or { });
    files = filesOf (args.files or { });
    users = usersOf (args.users or { });
    groups = groupsOf (args.groups or { });
    includeNixDB = args.includeNixDB or false;
    fromImage = baseOf (args.fromImage or null);
    maxLayers = args.maxLayers or 40;
    compression = compressionOf (args.compression or "gzip");
    annotations = plain "mkImage: annotations" (args.annotations or { });
    created = createdOf (args.created or null);
    format = args.format or "oci";
  };
  roots = rootsOf image;
  sources = map (file: file.source) (builtins.filter (file: file.type == "source") (builtins.attrValues image.files));
  base = if image.fromImage == null then [ ] else [ image.fromImage ];
  text = builtins.unsafeDiscardStringContext;
in
# Text without context: what is needed stands in `roots`, and nothing that reads the value builds anything.
# The roots stay out of the detour through JSON, which takes every set with an `outPath` for that path alone.
# Tests are no part of the image: what they alone name is no root.
builtins.fromJSON (text (builtins.toJSON (image // { tests = testsOf (args.tests or { }); })))
// {
  roots = roots ++ plainRoots roots (image.copyToRoot ++ image.replaceable ++ sources ++ base);
}
