# `tests` of a disk, in the one form that the engine reads.
let
  inherit (import ./check.nix) onlyKnown attrsOf;
  inherit (import ./expectations.nix)
    expected
    textOf
    patternOf
    argumentsOf
    fields
    portOf
    flagOf
    ;

  known = [
    "console"
    "never"
    "prompt"
    "commands"
    "login"
    "port"
    "memoryMiB"
    "cpus"
    "diskGiB"
    "timeout"
  ];

  listOf =
    what: each: where: value:
    if builtins.isList value then
      builtins.genList (at: each "${where}: ${what} ${toString (at + 1)}" (builtins.elemAt value at)) (builtins.length value)
    else
      each where value;

  patternsOf =
    where: value:
    if builtins.isList value || builtins.isString value || builtins.isAttrs value then
      let
        patterns = listOf "text" patternOf where value;
      in
      if builtins.isList patterns then patterns else [ patterns ]
    else
      expected where ''a list of texts such as [ "ready" { matches = "^up [0-9]+"; } ]'' value;

  commandOf =
    where: value:
    if builtins.isList value then
      { command = argumentsOf where value; }
    else if builtins.isAttrs value then
      let
        checked = onlyKnown where "field" [ "command" "exitCode" "output" ] value;
      in
      if checked ? command then
        fields {
          command = argumentsOf;
          output = patternOf;
        } where checked
      else
        throw "${where}: 'command' is missing"
    else
      expected where ''a list such as [ "uname" "-r" ], or a set of command, exitCode, output'' value;

  commandsOf =
    where: value:
    if builtins.isList value then
      listOf "command" commandOf where value
    else
      expected where ''a list of commands such as [ [ "uname" "-r" ] ]'' value;

  loginOf =
    where: value:
    if builtins.isString value then
      { user = value; }
    else
      fields {
        user = textOf;
        password = textOf;
      } where (onlyKnown where "field" [ "user" "password" ] (attrsOf where value));

  testOf =
    name: given:
    let
      where = "mkDisk: tests.${name}";
    in
    fields {
      console = patternsOf;
      never = patternsOf;
      prompt = flagOf;
      commands = commandsOf;
      login = loginOf;
      port = portOf;
    } where (onlyKnown where "field" known (attrsOf where given));
in
{
  /**
    Every test as the schema has it: texts as `{ contains, matches }`, commands as sets, a port as a set.

    # Type

    ```
    diskTestsOf :: attrs -> attrs
    ```
  */
  diskTestsOf = tests: builtins.mapAttrs testOf (attrsOf "mkDisk: tests" tests);
}
