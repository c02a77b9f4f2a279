# What calls of dockerTools and nix2container say otherwise than mkImage, and what to write here.
let
  inherit (import ./check.nix) onlyKnown;
  inherit (import ./nearest.nix) suggestion;

  scripts = "no commands run while an image is made: write what they make into files (\"/tmp\" = { directory = true; mode = \"1777\"; }), accounts into users and groups; what must be computed is a package in copyToRoot";
  owners = "everything belongs to root; single files take uid and gid in files.\"/path\"";
  machine = "leave it out: no virtual machine is needed";
  base = "leave it out: fromImage names one image, as name@sha256:… or as an archive that holds one";
  date = "leave it out: all files have the same fixed time";
  store = "leave it out: everything that the image names is in it";
  planned = "leave it out: layers are planned from the closure; maxLayers limits them";

  advice = {
    # dockerTools
    contents = "write copyToRoot";
    extraCommands = scripts;
    fakeRootCommands = scripts;
    runAsRoot = scripts;
    enableFakechroot = "leave it out: nothing runs as root";
    uid = owners;
    gid = owners;
    uname = owners;
    gname = owners;
    mtime = date;
    fromImageName = base;
    fromImageTag = base;
    architecture = "write system = \"x86_64-linux\" or \"aarch64-linux\", or leave it out: packages say what they run on";
    compressor = "write compression = \"gzip\" or \"zstd\"";
    keepContentsDirlinks = "leave it out: links to directories merge with directories";
    diskSize = machine;
    buildVMMemorySize = machine;
    includeStorePaths = store;
    layeringPipeline = planned;
    passthru = "leave it out: an image is plain data; add to the package that carries it as passthru.nixImage";
    meta = "leave it out: config.Labels and annotations describe an image";
    debug = "leave it out: --verbose says more";
    # nix2container
    arch = advice.architecture;
    layers = planned;
    perms = "write mode, uid and gid in files.\"/path\"";
    initializeNixDatabase = "write includeNixDB = true";
    nixUid = "leave it out: the Nix database belongs to root";
    nixGid = advice.nixUid;
  };

  isText = builtins.isString;

  # Docker's rule: a first part is a registry if it cannot be part of a repository name there.
  registryIn =
    name:
    let
      parts = builtins.match "([^/]+)/(.+)" (if isText name then name else "");
      first = builtins.head parts;
    in
    if parts != null && (first == "localhost" || builtins.match ".*[.:].*" first != null) then first else null;

in
rec {
  /**
    Fails as `onlyKnown` does, but for arguments of other makers of images with what to write for each, all at once; and
    for a `name` with a registry.

    # Type

    ```
    argumentsOf :: string -> [string] -> attrs -> attrs
    ```
  */
  argumentsOf = argumentsBeside advice;

  /**
    The same for arguments of any other makers: what to write for each, by its name.

    # Type

    ```
    argumentsBeside :: attrs -> string -> [string] -> attrs -> attrs
    ```
  */
  argumentsBeside =
    advice: where: known: given:
    let
      line = name: "\n  ${name}: ${advice.${name}}";
      unknown = builtins.filter (name: !(builtins.elem name known)) (builtins.attrNames given);
      others = builtins.filter (name: advice ? ${name}) unknown;
      rest = builtins.filter (name: !(advice ? ${name})) unknown;
      registry = registryIn (given.name or null);
      nameLine =
        if registry == null then
          ""
        else
          "\n  name: leave the registry ${registry} out and write \"${
            builtins.substring (builtins.stringLength registry + 1) (-1) given.name
          }\"; the destination (--to) says where an image goes";
      restLines = map (name: "\n  ${name}: is unknown${suggestion name known}") rest;
    in
    if others == [ ] && registry == null then
      onlyKnown where "argument" known given
    else
      throw "${where}: some arguments are written in another way here:${nameLine}${builtins.concatStringsSep "" (map line others ++ restLines)}";
}
