# What tests of images and of disks have in common: texts, arguments, ports.
let
  inherit (import ./check.nix) onlyKnown plain isDerivationLike;

  isText = value: builtins.isString value || builtins.isPath value || isDerivationLike value;
in
rec {
  /**
    Fails: what was expected at `where`, and what came.

    # Type

    ```
    expected :: string -> string -> any -> any
    ```
  */
  expected =
    where: what: value:
    throw "${where}: expected ${what}, got a ${builtins.typeOf value}";

  /**
    A string, or the path of a derivation.

    # Type

    ```
    textOf :: string -> any -> string
    ```
  */
  textOf = where: value: if isText value then "${value}" else expected where "a string" value;

  /**
    What a text must be, as a set of `equals`, `contains`, `matches`; a plain string is a part of it.

    # Type

    ```
    patternOf :: string -> any -> attrs
    ```
  */
  patternOf =
    where: value:
    if isText value then
      { contains = "${value}"; }
    else if builtins.isAttrs value then
      builtins.mapAttrs (name: textOf "${where}.${name}") (onlyKnown where "field" [ "equals" "contains" "matches" ] value)
    else
      expected where "a string that is contained, or a set of equals, contains, matches" value;

  /**
    An argument vector, whose numbers become text.

    # Type

    ```
    argumentsOf :: string -> [any] -> [string]
    ```
  */
  argumentsOf =
    where: value:
    if builtins.isList value then
      map (argument: if builtins.isInt argument then toString argument else textOf where argument) value
    else
      expected where ''a list of strings such as [ "program" "argument" ]'' value;

  /**
    Each field of a set by the function of its name in the first argument, or as plain data; null stays null.

    # Type

    ```
    fields :: attrs -> string -> attrs -> attrs
    ```
  */
  fields =
    specials: where: given:
    builtins.mapAttrs (
      name: value: if value == null then null else (specials.${name} or plain) "${where}.${name}" value
    ) given;

  /**
    A port that must answer: a number, or a set.

    # Type

    ```
    portOf :: string -> any -> attrs
    ```
  */
  portOf =
    where: port:
    if builtins.isInt port then
      { number = port; }
    else if builtins.isAttrs port then
      let
        checked = onlyKnown where "field" [ "number" "path" "status" "text" ] port;
      in
      if port ? number then
        fields { text = patternOf; } where checked
      else
        throw "${where}: 'number' is missing"
    else
      expected where "a number, or a set of number, path, status, text" port;

  /**
    A boolean.

    # Type

    ```
    flagOf :: string -> any -> bool
    ```
  */
  flagOf =
    where: value: if builtins.isBool value then value else expected where "true or false" value;
}
