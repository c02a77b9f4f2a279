# Packages that may be given by their names in `pkgs`.
let
  inherit (import ./nearest.nix) suggestion;

  # Names of that many are printed; nixpkgs has a hundred thousand.
  listed = 40;

  isDotted = name: builtins.match ".*[.].*" name != null;

  # Edit distances to all of nixpkgs would take minutes: what begins otherwise or is much longer is no candidate.
  candidates =
    wrong:
    builtins.filter (
      name:
      let
        difference = builtins.stringLength name - builtins.stringLength wrong;
      in
      builtins.substring 0 1 name == builtins.substring 0 1 wrong && difference >= -3 && difference <= 3
    );

  existing =
    names:
    if builtins.length names > listed then
      " There are ${toString (builtins.length names)}: https://search.nixos.org/packages finds them."
    else
      " Known are: ${builtins.concatStringsSep ", " names}.";

  # The member `key` of `set`, one step on the way to the package `name`.
  member =
    where: name: set: key:
    let
      names = builtins.attrNames set;
    in
    if !(builtins.isAttrs set) then
      throw "${where}: unknown package '${name}'"
    else
      set.${key} or (throw "${where}: unknown package '${name}'${suggestion key (candidates key names)}${existing names}");

  packageOf =
    where: pkgs: value:
    if !(builtins.isString value) || builtins.substring 0 1 value == "/" then
      value
    else
      builtins.foldl' (member where value) pkgs (
        if isDotted value then builtins.filter builtins.isString (builtins.split "[.]" value) else [ value ]
      );
in
{
  /**
    Each of `values` as a package: names (`"jq"`, `"python3Packages.rich"`) are looked up in `pkgs`, all else is left as
    it is. Fails on a name that `pkgs` lacks, with the nearest.

    # Type

    ```
    packagesOf :: string -> attrs -> [any] -> [any]
    ```
  */
  packagesOf =
    where: pkgs: values:
    if builtins.isList values then
      map (packageOf where pkgs) values
    else
      throw "${where}: expected a list of packages or of their names, got a ${builtins.typeOf values}";
}
