# An image whose arguments are recipes of a Justfile. Everything that mkImage takes may be given too and is added.
let
  inherit (import ./check.nix) attrsOf isDerivationLike;
  inherit (import ./other-makers.nix) argumentsOf;
  inherit (import ./packages.nix) packagesOf;
  inherit (import ./userland.nix) userlandOf;
  mkImage = import ./mk-image.nix;

  # What mkImage does not take.
  own = [
    "pkgs"
    "justfile"
    "packages"
  ];

  need = given: name: given.${name} or (throw "mkUtility: '${name}' is missing");

  # A path in the store is a file; no Justfile begins with a slash.
  justfileOf =
    value:
    if builtins.isPath value || isDerivationLike value then
      { source = value; }
    else if !(builtins.isString value) then
      throw "mkUtility: justfile: expected a path or the text of a Justfile, got a ${builtins.typeOf value}"
    else if builtins.substring 0 1 value == "/" then
      { source = value; }
    else
      { text = value; };

  # Names and values as `config.Env` may have them, as a set.
  variablesOf =
    env:
    if builtins.isAttrs env then
      env
    else
      throw "mkUtility: config.Env: expected a set such as { TZ = \"UTC\"; }, got a ${builtins.typeOf env}";

  # The user that everything runs as, by number: Kubernetes' runAsNonRoot cannot see that a name is not root's.
  nobody = "65532";

  # The place where nixpkgs' programs look for certificates.
  bundle = "/etc/ssl/certs/ca-bundle.crt";

  # What httpie is to do in a recipe that nobody watches: an answer of 300 or more is a failure, for it did not do what was
  # asked for (a redirect least of all, which has not taken the body), and nobody is told of new versions.
  httpieConfig = {
    default_options = [ "--check-status" ];
    disable_update_warnings = true;
  };
in
given:
let
  args = argumentsOf "mkUtility" (own ++ import ./arguments.nix) (attrsOf "mkUtility" given);
  pkgs = attrsOf "mkUtility: pkgs" (need args "pkgs");
  justfile = justfileOf (need args "justfile");
  config = attrsOf "mkUtility: config" (args.config or { });
  rest = removeAttrs args own;

  userland = userlandOf pkgs;

  http = name: {
    mode = "0755";
    text =
      builtins.replaceStrings
        [ "#!/bin/bash" "@program@" "@coreutils@" ]
        [ "#!${pkgs.bash}/bin/bash" "${pkgs.httpie}/bin/${name}" "${pkgs.coreutils}" ]
        (builtins.readFile ../images/utility/http.sh);
  };
in
mkImage (
  rest
  // {
    name = args.name or "utility";
    # What the user names replaces it.
    replaceable = [
      pkgs.bash
      pkgs.coreutils
      pkgs.curl
      pkgs.httpie
      pkgs.just
      pkgs.less
      pkgs.tini
      pkgs.which
      pkgs.cacert
    ];
    copyToRoot =
      packagesOf "mkUtility: packages" pkgs (args.packages or [ ])
      ++ (if builtins.isList args.copyToRoot or [ ] then args.copyToRoot or [ ] else [ args.copyToRoot ]);

    config = {
      # -g: signals reach the programs that a recipe runs, not just alone.
      Entrypoint = [
        "${pkgs.tini}/bin/tini"
        "-g"
        "--"
        "${pkgs.just}/bin/just"
        # Where the container starts, not where the Justfile lies.
        "--working-directory"
        "."
      ];
      Cmd = [ "--list" ];
      User = "${nobody}:${nobody}";
      WorkingDir = "/tmp";
    }
    // config
    // {
      Env = {
        PATH = "/bin";
        HOME = "/tmp";
        LANG = "C.UTF-8";
        SSL_CERT_FILE = bundle;
        # Another may be named when the container is started: a ConfigMap that is mounted as a folder has its Justfile there.
        JUST_JUSTFILE = "/justfile";
      }
      // userland.env
      // variablesOf (config.Env or { });
    };

    files = userland.files // {
      "/justfile" = justfile;
      "/bin/http" = http "http";
      "/bin/https" = http "https";
      "/etc/httpie/config.json".text = builtins.toJSON httpieConfig;
      # The first line of most scripts.
      "/usr/bin/env".target = "${pkgs.coreutils}/bin/env";
      # Where programs look that were not made for Nix.
      "/etc/ssl/certs/ca-certificates.crt".target = "ca-bundle.crt";
      "/tmp" = {
        directory = true;
        mode = "1777";
      };
    }
    // (args.files or { });

    users = {
      root = {
        uid = 0;
        home = "/root";
      };
      utility = {
        uid = 65532;
        home = "/tmp";
      };
    }
    // (args.users or { });
    groups = {
      root.gid = 0;
      utility.gid = 65532;
    }
    // (args.groups or { });

    tests = {
      recipes.command = [ "--list" ];
    }
    // (args.tests or { });
  }
)
