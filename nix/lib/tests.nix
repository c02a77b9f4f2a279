# `tests` of an image, brought into the one form that the engine reads.
let
  inherit (import ./check.nix) onlyKnown attrsOf plain isDerivationLike;

  known = [
    "command"
    "entrypoint"
    "exitCode"
    "stdout"
    "stderr"
    "stdin"
    "user"
    "workdir"
    "env"
    "timeout"
    "files"
    "port"
  ];

  expected =
    where: what: value:
    throw "${where}: expected ${what}, got a ${builtins.typeOf value}";

  isText = value: builtins.isString value || builtins.isPath value || isDerivationLike value;

  textOf = where: value: if isText value then "${value}" else expected where "a string" value;

  # A plain string is a part of the text.
  patternOf =
    where: value:
    if isText value then
      { contains = "${value}"; }
    else if builtins.isAttrs value then
      builtins.mapAttrs (name: textOf "${where}.${name}") (onlyKnown where "field" [ "equals" "contains" "matches" ] value)
    else
      expected where "a string that is contained, or a set of equals, contains, matches" value;

  argumentsOf =
    where: value:
    if builtins.isList value then
      map (argument: if builtins.isInt argument then toString argument else textOf where argument) value
    else
      expected where ''a list of strings such as [ "program" "argument" ]'' value;

  variableOf =
    where: value: if builtins.isInt value then toString value else textOf where value;

  modeOf =
    where: mode:
    # 0644 in Nix is the number 644.
    if builtins.isString mode then mode else throw "${where}: write it as a string, such as \"0644\"";

  fields =
    specials: where: given:
    builtins.mapAttrs (
      name: value: if value == null then null else (specials.${name} or plain) "${where}.${name}" value
    ) given;

  fileOf =
    where: file:
    if builtins.isBool file then
      { exists = file; }
    else if builtins.isAttrs file then
      fields {
        mode = modeOf;
        text = patternOf;
      } where (onlyKnown where "field" [ "exists" "mode" "uid" "gid" "text" ] file)
    else
      expected where "true (it must be there), false (it must not), or a set of mode, uid, gid, text" file;

  filesOf =
    where: files:
    builtins.mapAttrs (path: fileOf "${where}.\"${path}\"") (attrsOf where files);

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

  testOf =
    name: test:
    let
      where = "mkImage: tests.${name}";
    in
    fields {
      command = argumentsOf;
      entrypoint = argumentsOf;
      stdout = patternOf;
      stderr = patternOf;
      stdin = textOf;
      user = variableOf;
      workdir = textOf;
      env = at: env: builtins.mapAttrs (variable: variableOf "${at}.${variable}") (attrsOf at env);
      files = filesOf;
      port = portOf;
    } where (onlyKnown where "field" known (attrsOf where test));
in
{
  /**
    Every test as the schema has it: what a text must be as `{ equals, contains, matches }`, files as sets, a port as a set.

    # Type

    ```
    testsOf :: attrs -> attrs
    ```
  */
  testsOf = tests: builtins.mapAttrs testOf (attrsOf "mkImage: tests" tests);
}
