# Users and groups of an image with their defaults filled in.
let
  inherit (import ./check.nix) onlyKnown attrsOf;

  need =
    where: name: value:
    value.${name} or (throw "${where}: '${name}' is missing");

  # As shadow-utils has it (useradd(8)); longer or other names are cut or refused by programs that read the files.
  nameOf =
    where: name: value:
    if builtins.match "[a-z_][a-z0-9_-]{0,31}[$]?" name != null then
      value
    else
      throw "${where}: expected a name for /etc/passwd: at most 32 lower-case letters, digits, _ and -, the first a letter or _";

  userOf =
    name: given:
    let
      where = "mkImage: users.${name}";
      user = onlyKnown where "field" [ "uid" "gid" "description" "home" "shell" ] (attrsOf where given);
      uid = need where "uid" user;
    in
    nameOf where name {
      inherit uid;
      gid = user.gid or uid;
      description = user.description or "";
      home = user.home or "/";
      shell = "${user.shell or "/bin/sh"}";
    };

  groupOf =
    name: given:
    let
      where = "mkImage: groups.${name}";
      group = onlyKnown where "field" [ "gid" "members" ] (attrsOf where given);
    in
    nameOf where name {
      gid = need where "gid" group;
      members = group.members or [ ];
    };
in
{
  /**
    Every user as `{ uid, gid, description, home, shell }`.

    # Type

    ```
    usersOf :: attrs -> attrs
    ```
  */
  usersOf = users: builtins.mapAttrs userOf (attrsOf "mkImage: users" users);

  /**
    Every group as `{ gid, members }`.

    # Type

    ```
    groupsOf :: attrs -> attrs
    ```
  */
  groupsOf = groups: builtins.mapAttrs groupOf (attrsOf "mkImage: groups" groups);
}
