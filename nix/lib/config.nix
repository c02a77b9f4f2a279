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
  ];

  variable =
    name: value:
    if builtins.isBool value || value == null || builtins.isList value then
      throw "mkImage: config.Env.${name}: expected a string, got a ${builtins.typeOf value}"
    else
      "${name}=${toString (plain "mkImage: config.Env.${name}" value)}";

  envOf = env: if builtins.isAttrs env then builtins.attrValues (builtins.mapAttrs variable env) else env;

  commandOf =
    name: command:
    if builtins.isString command then
      throw "mkImage: config.${name}: expected a list of strings such as [ \"program\" \"argument\" ], got a string"
    else
      command;

  special = {
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
