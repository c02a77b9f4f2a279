# `files` of an image, brought into the one form that the engine reads.
let
  inherit (import ./check.nix) onlyKnown attrsOf isDerivationLike;

  kinds = [
    "text"
    "source"
    "target"
    "directory"
  ];

  known = kinds ++ [
    "mode"
    "uid"
    "gid"
    "capabilities"
  ];

  textOf =
    where: value: if builtins.isString value then value else throw "${where}: expected a string, got a ${builtins.typeOf value}";

  modeOf =
    where: mode:
    # 0644 in Nix is the number 644.
    if mode == null || builtins.isString mode then mode else throw "${where}.mode: write it as a string, such as \"0644\"";

  sourceOf =
    where: source:
    if builtins.isPath source || isDerivationLike source || builtins.isString source then
      "${source}"
    else
      throw "${where}.source: expected a derivation, a path or a string, got a ${builtins.typeOf source}";

  # `result`, unless the file has one of the fields that its kind cannot have.
  without =
    where: kind: names: file: result:
    let
      given = builtins.filter (name: file ? ${name}) names;
    in
    if given == [ ] then result else throw "${where}: a ${kind} has no '${builtins.head given}'";

  entry =
    where: file:
    let
      given = builtins.filter (kind: file ? ${kind} && !(kind == "directory" && !file.directory)) kinds;
      owner = {
        uid = file.uid or 0;
        gid = file.gid or 0;
      };
      mode.mode = modeOf where (file.mode or null);
      capabilities.capabilities = file.capabilities or null;
      forms = {
        text = owner // mode // capabilities // {
          type = "text";
          text = textOf "${where}.text" file.text;
        };
        source = owner // mode // capabilities // {
          type = "source";
          source = sourceOf where file.source;
        };
        target = without where "symlink" [ "mode" "capabilities" ] file (owner // {
          type = "symlink";
          target = textOf "${where}.target" "${file.target}";
        });
        directory = without where "directory" [ "capabilities" ] file (owner // mode // { type = "directory"; });
      };
    in
    if builtins.length given == 1 then
      forms.${builtins.head given}
    else
      throw "${where}: expected exactly one of ${builtins.concatStringsSep ", " kinds}";

  fileOf =
    path: file:
    let
      where = "mkImage: files.\"${path}\"";
    in
    if builtins.substring 0 1 path != "/" then
      throw "${where}: the path must be absolute"
    else if builtins.match "(/[^/]+)+" path == null then
      throw "${where}: the path must have no slash at its end and no two in a row; a folder is written { directory = true; }"
    else if builtins.match "(.*/)?[.][.]?(/.*)?" path != null then
      throw "${where}: the path must not contain . or .."
    else if builtins.isPath file || isDerivationLike file then
      entry where { source = file; }
    else if builtins.isString file then
      throw "${where}: a string can mean two things; write { text = …; } or { source = …; }"
    else
      entry where (onlyKnown where "field" known (attrsOf where file));
in
{
  /**
    Every file as `{ type, … , uid, gid }`, with `mode` and `capabilities` where the kind has them.

    # Type

    ```
    filesOf :: attrs -> attrs
    ```
  */
  filesOf = files: builtins.mapAttrs fileOf (attrsOf "mkImage: files" files);
}
