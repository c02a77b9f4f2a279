# `tests` of an image, in the one form that the engine reads.
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

  # What a container is allowed and given. Beside `steps` they are for all of these.
  container = [
    "user"
    "workdir"
    "env"
    "readOnly"
    "capabilities"
    "noNewPrivileges"
    "userNamespace"
    "tmpfs"
    "volumes"
  ];

  # What runs in it and must come of it.
  run = [
    "command"
    "entrypoint"
    "exitCode"
    "stdout"
    "stderr"
    "stdin"
    "files"
    "port"
  ];

  known = run ++ container ++ [ "timeout" "steps" ];

  variableOf =
    where: value: if builtins.isInt value then toString value else textOf where value;

  modeOf =
    where: mode:
    # 0644 in Nix is the number 644.
    if builtins.isString mode then mode else throw "${where}: write it as a string, such as \"0644\"";

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

  namesOf =
    where: value:
    if builtins.isList value then
      map (textOf where) value
    else
      expected where ''a list of capabilities such as [ "ALL" ]'' value;

  tmpfsOf =
    where: value:
    if builtins.isList value then
      builtins.listToAttrs (map (path: { name = textOf where path; value = { }; }) value)
    else if builtins.isAttrs value then
      builtins.mapAttrs (
        path: given:
        let
          at = "${where}.\"${path}\"";
        in
        fields {
          mode = modeOf;
          exec = flagOf;
        } at (onlyKnown at "field" [ "mode" "exec" ] (attrsOf at given))
      ) value
    else
      expected where ''a list of paths such as [ "/tmp" ], or a set of sets of mode, exec'' value;

  volumeOf =
    where: value:
    if builtins.isString value then
      { name = value; }
    else if !(builtins.isAttrs value) then
      expected where "the name of a volume, or a set of name, copy, readOnly" value
    else
      let
        checked = onlyKnown where "field" [ "name" "copy" "readOnly" ] value;
      in
      if checked ? name then
        fields {
          name = textOf;
          copy = flagOf;
          readOnly = flagOf;
        } where checked
      else
        throw "${where}: 'name' is missing";

  capabilitiesOf =
    where: value:
    builtins.mapAttrs (name: namesOf "${where}.${name}") (onlyKnown where "field" [ "drop" "add" ] (attrsOf where value));

  # Of two sets of containers' fields the second goes before; variables, paths and capabilities of both count.
  merge =
    first: second:
    let
      sets = builtins.intersectAttrs { env = null; capabilities = null; tmpfs = null; volumes = null; } second;
    in
    first // second // builtins.mapAttrs (name: set: first.${name} or { } // set) sets;

  # Every step by itself, with what the test says of all of them.
  stepsOf =
    where: test: steps:
    let
      own = builtins.filter (name: builtins.elem name run) (builtins.attrNames test);
      shared = oneOf where (removeAttrs test [ "timeout" "steps" ]);
      stepOf =
        number:
        let
          at = "${where}: step ${toString (number + 1)}";
        in
        merge shared (oneOf at (onlyKnown at "field" (run ++ container) (attrsOf at (builtins.elemAt steps number))));
    in
    if !(builtins.isList steps) then
      expected "${where}.steps" "a list of sets such as { command = [ … ]; }" steps
    else if own != [ ] then
      throw "${where}: '${builtins.head own}' beside 'steps': write it in the step that it is for"
    else
      builtins.genList stepOf (builtins.length steps);

  oneOf =
    where:
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
      readOnly = flagOf;
      capabilities = capabilitiesOf;
      noNewPrivileges = flagOf;
      userNamespace = flagOf;
      tmpfs = tmpfsOf;
      volumes = at: volumes: builtins.mapAttrs (path: volumeOf "${at}.\"${path}\"") (attrsOf at volumes);
    } where;

  testOf =
    name: given:
    let
      where = "mkImage: tests.${name}";
      test = onlyKnown where "field" known (attrsOf where given);
    in
    if test.steps or null == null then
      oneOf where test
    else
      removeAttrs test (container ++ run) // { steps = stepsOf where test test.steps; };
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
