# From what a user writes to the disk definition, schema version 1 (nix/schema/disk-definition.v1.json).
let
  inherit (import ./check.nix) onlyKnown attrsOf plain isDerivationLike;
  inherit (import ./other-makers.nix) argumentsBeside;
  inherit (import ./roots.nix) rootsOf plainRoots;
  inherit (import ./nixos-disk.nix) partsOf;
  inherit (import ./disk-tools.nix) toolsOf stubOf;
  inherit (import ./disk-tests.nix) diskTestsOf;

  systems = import ./systems.nix;

  known = import ./disk-arguments.nix;

  text = builtins.unsafeDiscardStringContext;

  isText = value: builtins.isString value || builtins.isPath value || isDerivationLike value;

  # A path in the store: the file of a package, or a file of the flake, which is copied there.
  fileOf =
    where: value:
    if !(isText value) then
      throw "mkDisk: ${where}: expected a file of the store, got a ${builtins.typeOf value}"
    else if builtins.match "${builtins.storeDir}/[^/]+.*" (text "${value}") != null then
      "${value}"
    else
      throw "mkDisk: ${where}: '${text "${value}"}' is not in the store; name a file of a package, or write it as a path such as ./${baseNameOf (text "${value}")}";

  treeOf =
    value:
    let
      path = fileOf "store" value;
    in
    if builtins.match "${builtins.storeDir}/[^/]+" (text path) != null then
      path
    else
      throw "mkDisk: store: '${text path}' is not a whole store path";

  # The fields of a set, each by its function; others are refused.
  setOf =
    field: functions: value:
    builtins.mapAttrs (name: functions.${name}) (
      onlyKnown "mkDisk: ${field}" "field" (builtins.attrNames functions) (attrsOf "mkDisk: ${field}" value)
    );

  plainAt = field: plain "mkDisk: ${field}";

  nullOr = function: value: if value == null then null else function value;

  partsOfBoot = setOf "boot" {
    kernel = fileOf "boot.kernel";
    initrd = nullOr (fileOf "boot.initrd");
    stub = fileOf "boot.stub";
    cmdline = value: if builtins.isList value then toString value else plainAt "boot.cmdline" value;
    osRelease = plainAt "boot.osRelease";
    uname = plainAt "boot.uname";
    verityArgument = plainAt "boot.verityArgument";
  };

  partsOfTools = setOf "tools" {
    mkfsVfat = fileOf "tools.mkfsVfat";
    mtools = fileOf "tools.mtools";
    mkfsExt4 = fileOf "tools.mkfsExt4";
    ukify = fileOf "tools.ukify";
  };

  sizes = [ "sizeMiB" ];
  partitionsOf =
    setOf "partitions" (
      builtins.mapAttrs (name: fields: value: onlyKnown "mkDisk: partitions.${name}" "field" fields (attrsOf "mkDisk: partitions.${name}" value)) {
        esp = sizes;
        store = sizes ++ [ "windowPercent" "label" ];
        root = sizes ++ [ "label" ];
      }
    );

  merged = first: second: first // builtins.mapAttrs (name: value: first.${name} or { } // value) second;

  espFileOf =
    path: file:
    let
      where = "mkDisk: espFiles.\"${path}\"";
      given = onlyKnown where "field" [ "text" "source" ] (attrsOf where file);
    in
    if builtins.substring 0 1 path != "/" then
      throw "${where}: the path must be absolute, as the EFI system partition has it: \"/${path}\""
    else if builtins.isPath file || isDerivationLike file then
      {
        type = "source";
        source = fileOf "espFiles.\"${path}\"" file;
      }
    else if builtins.isString file then
      throw "${where}: a string can mean two things; write { text = …; } or { source = …; }"
    else if builtins.attrNames given == [ "source" ] then
      {
        type = "source";
        source = fileOf "espFiles.\"${path}\".source" given.source;
      }
    else if builtins.attrNames given == [ "text" ] then
      {
        type = "text";
        text = plainAt "espFiles.\"${path}\".text" given.text;
      }
    else
      throw "${where}: expected exactly one of text, source";

  loaderIn =
    value:
    if builtins.elem value [ null "uki" "systemd-boot" ] then
      value
    else
      throw "mkDisk: loader: expected \"uki\" or \"systemd-boot\", got ${builtins.toJSON value}";

  needed =
    name: remedy: value:
    if value == null then throw "mkDisk: '${name}' is missing${remedy}" else value;
in
given:
let
  stated = argumentsBeside (import ./other-disk-makers.nix) "mkDisk" known (attrsOf "mkDisk" given);
  args =
    if stated ? nixos || stated ? boot || stated ? espFiles then
      stated
    else
      throw "mkDisk: nothing to boot: give a NixOS system as nixos, or boot.kernel and what belongs to it";
  checked =
    args
    // {
      loader = loaderIn (args.loader or null);
      boot = partsOfBoot (args.boot or { });
      partitions = partitionsOf (args.partitions or { });
    };
  hasSystem = args ? nixos;
  pkgs = args.pkgs or null;
  found =
    if hasSystem then
      partsOf args.nixos checked
    else
      {
        loader = if checked.loader == "systemd-boot" then "systemd-boot" else "uki";
        partitions = { };
        boot = if pkgs == null then { } else { stub = stubOf pkgs; };
        system = if pkgs == null then null else pkgs.stdenv.hostPlatform.system;
        buildSystem = if pkgs == null then null else pkgs.stdenv.buildPlatform.system or null;
      };
  isUki = found.loader == "uki";
  boot = found.boot or { } // checked.boot;
  part =
    name:
    needed "boot.${name}" (
      if name == "stub" then ": give it, or pkgs, whose systemd has one" else ": give it, or a NixOS system as nixos"
    ) (boot.${name} or null);
  espFiles = found.espFiles or { } // args.espFiles or { };
  tools =
    (if pkgs != null then toolsOf pkgs else found.tools or { }) // partsOfTools (args.tools or { });
  toolOf =
    name: needed "tools.${name}" ": give it, or pkgs, whose packages have it" (tools.${name} or null);
  system = args.system or found.system;
  disk = {
    schemaVersion = 1;
    kind = "disk";
    name = needed "name" "" (args.name or found.name or null);
    tag = args.tag or null;
    system =
      if builtins.elem (needed "system" "" system) systems then
        system
      else
        throw "mkDisk: system: ${system} is not one of ${builtins.concatStringsSep ", " systems}, which disks are made for";
    buildSystem = found.buildSystem or null;
    boot =
      if isUki then
        {
          loader = "uki";
          kernel = part "kernel";
          initrd = boot.initrd or null;
          cmdline = part "cmdline";
          osRelease = part "osRelease";
          uname = boot.uname or null;
          stub = part "stub";
          verityArgument = boot.verityArgument or "usrhash";
        }
      else
        { loader = "files"; };
    espFiles = builtins.mapAttrs espFileOf (attrsOf "mkDisk: espFiles" espFiles);
    partitions = merged found.partitions checked.partitions;
    sizeGiB = args.sizeGiB or null;
    verity = args.verity or found.verity or false;
    registration = args.registration or found.registration or true;
    bootMode = "uefi";
    tools = {
      mkfsVfat = toolOf "mkfsVfat";
      mtools = toolOf "mtools";
      mkfsExt4 = toolOf "mkfsExt4";
      ukify = if isUki then toolOf "ukify" else null;
    };
    annotations = plainAt "annotations" (args.annotations or { });
  };
  stores = map treeOf (found.store or [ ] ++ (if builtins.isList (args.store or [ ]) then args.store or [ ] else [ args.store ]));
  # What the kernel is told of must be there when it looks: `init=/nix/store/…/init` above all.
  told = {
    inherit stores;
    boot = if isUki then [ disk.boot.cmdline disk.boot.osRelease ] else [ ];
    files = map (file: file.text or "") (builtins.attrValues disk.espFiles);
  };
  inStore = rootsOf told;
  storeRoots = inStore ++ plainRoots inStore stores;
  files = [ disk.boot.kernel or "" (if isUki && disk.boot.initrd != null then disk.boot.initrd else "") disk.boot.stub or "" ]
    ++ builtins.filter builtins.isString (builtins.attrValues disk.tools)
    ++ map (file: file.source or "") (builtins.attrValues disk.espFiles);
  withContext = rootsOf [ disk told ];
  roots = withContext ++ plainRoots withContext (stores ++ files);
  paths = builtins.attrNames (builtins.listToAttrs (map (root: { name = text root.outPath; value = null; }) storeRoots));
in
# As with images, text without context, and roots apart, whose `outPath` JSON would take for the whole set.
builtins.fromJSON (text (builtins.toJSON (disk // { tests = diskTestsOf (args.tests or found.tests or { }); })))
// {
  inherit roots;
  storeRoots =
    if paths == [ ] then
      throw "mkDisk: 'store' is empty, and neither boot.cmdline nor a file names a store path: give what the disk runs, or a NixOS system as nixos"
    else
      paths;
}
