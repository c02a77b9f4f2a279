# Checks of arguments whose messages say where the mistake is and what was meant.
let
  inherit (import ./nearest.nix) suggestion;

  quoted = names: builtins.concatStringsSep ", " names;
in
rec {
  /**
    Fails unless every attribute of `given` is one of `known`; names the nearest.

    # Type

    ```
    onlyKnown :: string -> string -> [string] -> attrs -> attrs
    ```
  */
  onlyKnown =
    where: what: known: given:
    let
      unknown = builtins.filter (name: !(builtins.elem name known)) (builtins.attrNames given);
      wrong = builtins.head unknown;
    in
    if unknown == [ ] then
      given
    else
      throw "${where}: unknown ${what} '${wrong}'${suggestion wrong known} Known are: ${quoted known}.";

  /**
    Fails unless `value` is an attribute set.

    # Type

    ```
    attrsOf :: string -> any -> attrs
    ```
  */
  attrsOf =
    where: value:
    if builtins.isAttrs value then
      value
    else
      throw "${where}: expected an attribute set, got a ${builtins.typeOf value}";

  /**
    `value` as plain data that JSON can hold: derivations and paths become their store path, as text with context.
    Fails on functions, whose place it names.

    # Type

    ```
    plain :: string -> any -> any
    ```
  */
  plain =
    where: value:
    if builtins.isPath value || isDerivationLike value then
      "${value}"
    else if builtins.isAttrs value then
      builtins.mapAttrs (name: plain "${where}.${name}") value
    else if builtins.isList value then
      map (plain where) value
    else if builtins.isFunction value then
      throw "${where}: is a function, expected data"
    else
      value;

  /**
    Whether `value` is an attribute set that stands for a store path: a derivation, a flake input.

    # Type

    ```
    isDerivationLike :: any -> bool
    ```
  */
  isDerivationLike = value: builtins.isAttrs value && (value ? outPath || value ? __toString);
}
