# The container's configuration, as dockerTools takes it.
let
  inherit (import ./check.nix) onlyKnown attrsOf plain;

  known = [
    "Entrypoint"
    "Cmd"
    "Env"
    "User"
    "WorkingDir"
    "Labels"
    "ExposedPorts"
    "Volumes"
    "StopSignal"
    "Healthcheck"
    "Shell"
    "OnBuild"
    "StopTimeout"
    "Hostname"
    "Domainname"
    "AttachStdin"
    "AttachStdout"
    "AttachStderr"
    "Tty"
    "OpenStdin"
    "StdinOnce"
    "ArgsEscaped"
    "NetworkDisabled"
    "MacAddress"
  ];

  variable =
    name: value:
    if builtins.isBool value || builtins.isList value then
      throw "mkImage: config.Env.${name}: expected a string, got a ${builtins.typeOf value}"
    else
      "${name}=${toString (plain "mkImage: config.Env.${name}" value)}";

  # null takes away a variable that a ready image would set.
  envOf =
    env:
    if builtins.isAttrs env then
      map (name: variable name env.${name}) (builtins.filter (name: env.${name} != null) (builtins.attrNames env))
    else
      env;

  commandOf =
    name: command:
    if builtins.isString command then
      throw "mkImage: config.${name}: expected a list of strings such as [ \"program\" \"argument\" ], got a string"
    else
      command;

  # Names of the sets of empty sets; what they may be is said here, for JSON schemas only say what they match.
  namesOf =
    field: pattern: expected: value:
    let
      wrong = builtins.filter (name: builtins.match pattern name == null) (builtins.attrNames value);
    in
    if !(builtins.isAttrs value) then
      throw "mkImage: config.${field}: expected a set of empty sets such as { ${expected.example} = { }; }, got a ${builtins.typeOf value}"
    else if wrong == [ ] then
      value
    else
      throw "mkImage: config.${field}.\"${builtins.head wrong}\": expected ${expected.text}";

  number = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

  portsOf = namesOf "ExposedPorts" "${number}(/(tcp|udp|sctp))?" {
    example = "\"8080/tcp\"";
    text = "a port from 1 to 65535, such as 8080/tcp or 53/udp; OCI has no ranges, so name each port";
  };

  volumesOf = namesOf "Volumes" "/.*" {
    example = "\"/data\"";
    text = "an absolute path such as /data";
  };

  folderOf =
    value:
    if !(builtins.isString value) || value == "" || builtins.substring 0 1 value == "/" then
      value
    else
      throw "mkImage: config.WorkingDir: expected an absolute path such as /srv, not '${value}'";

  special = {
    ExposedPorts = portsOf;
    Volumes = volumesOf;
    WorkingDir = folderOf;
    Env = envOf;
    Entrypoint = commandOf "Entrypoint";
    Cmd = commandOf "Cmd";
  };
in
{
  /**
    `config` as plain data; `Env` may be an attribute set.

    # Type

    ```
    configOf :: attrs -> attrs
    ```
  */
  configOf =
    given:
    let
      config = onlyKnown "mkImage: config" "field" known (attrsOf "mkImage: config" given);
      field = name: value: plain "mkImage: config.${name}" ((special.${name} or (v: v)) value);
    in
    builtins.mapAttrs field config;
}
