# Nix in a minimal Linux user space: to build flakes in, on a laptop or as a CI job's container.
# `variant` says who runs Nix: "root" (single user), "user" (single user, uid 1000), "daemon" (nix-daemon for all users).
# What else `mkImage` takes is added to the image's own: packages, settings, files, users, variables.
{
  pkgs,
  mkImage,
  name ? "nix",
  variant ? "root",
  packages ? [ ],
  settings ? { },
  config ? { },
  files ? { },
  users ? { },
  groups ? { },
  tests ? { },
  ...
}@given:
let
  inherit (import ../lib/check.nix) attrsOf;
  inherit (import ../lib/packages.nix) packagesOf;

  variants = {
    root = {
      owner = 0;
      account = "root";
      home = "/root";
      settings.build-users-group = "nixbld";
    };
    user = {
      owner = 1000;
      account = "nix";
      home = "/home/nix";
      # Who may not change users builds as himself.
      settings.build-users-group = "";
      config.User = "1000:1000";
      users.nix = {
        uid = 1000;
        home = "/home/nix";
      };
    };
    daemon = variants.root // {
      packages = [ pkgs.tini ];
      config.Entrypoint = [
        "${pkgs.tini}/bin/tini"
        "--"
        "/bin/with-nix-daemon"
      ];
      config.Cmd = [ ];
      files."/bin/with-nix-daemon" = {
        text = builtins.replaceStrings [ "/bin/bash" ] [ "${pkgs.bashInteractive}/bin/bash" ] (builtins.readFile ./with-nix-daemon.sh);
        mode = "0755";
      };
    };
  };
  chosen =
    variants.${variant}
      or (throw "nix image: unknown variant '${toString variant}'; there are ${builtins.concatStringsSep ", " (builtins.attrNames variants)}");
  inherit (chosen) owner home account;

  directory = mode: owner: {
    directory = true;
    inherit mode;
    uid = owner;
    gid = owner;
  };

  builders = builtins.genList (at: "nixbld${toString (at + 1)}") 32;
  builderNumber = builder: 30000 + builtins.fromJSON (builtins.substring 6 (-1) builder);

  valueOf =
    value:
    if builtins.isList value then
      toString value
    else if builtins.isBool value then
      (if value then "true" else "false")
    else
      toString value;
  conf = {
    experimental-features = [
      "nix-command"
      "flakes"
    ];
    # Containers may not make the namespaces of a sandbox unless they are privileged; see nix/images/nix.md.
    sandbox = false;
  }
  // chosen.settings
  // attrsOf "${name}: settings" settings;

  smoke = ''derivation { name = "smoke"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo built by nix > $out" ]; }'';

  bundle = "/etc/ssl/certs/ca-bundle.crt";

  # What is declared for the image itself. No trial of a build asks caches, and emulated ones cannot filter system calls.
  trial = {
    entrypoint = chosen.config.Entrypoint or [ ];
    env.NIX_CONFIG = "substituters =\nfilter-syscalls = false";
  };

  # Where programs that were not built by Nix look for the C library's loader: the runner's own node is one of them.
  loader = {
    x86_64-linux = "/lib64/ld-linux-x86-64.so.2";
    aarch64-linux = "/lib/ld-linux-aarch64.so.1";
  };
  system = pkgs.stdenv.hostPlatform.system;
in
mkImage (
  removeAttrs given [
    "pkgs"
    "mkImage"
    "variant"
    "packages"
    "settings"
  ]
  // {
    inherit name;
    copyToRoot = [
      pkgs.nix
      pkgs.bashInteractive
      pkgs.coreutils
      pkgs.gitMinimal
      pkgs.openssh
      pkgs.gnutar
      pkgs.gzip
      pkgs.xz
      pkgs.findutils
      pkgs.gnugrep
      pkgs.gnused
      pkgs.cacert
    ]
    ++ chosen.packages or [ ]
    ++ packagesOf "${name}: packages" pkgs packages
    ++ (if builtins.isList given.copyToRoot or [ ] then given.copyToRoot or [ ] else [ given.copyToRoot ]);
    includeNixDB = true;

    config = {
      Cmd = [ "${pkgs.bashInteractive}/bin/bash" ];
      WorkingDir = home;
      Labels."org.opencontainers.image.description" = "Nix in a minimal Linux user space";
    }
    // chosen.config or { }
    // config
    // {
      Env = {
        PATH = "${home}/.nix-profile/bin:/nix/var/nix/profiles/default/bin:/bin";
        HOME = home;
        USER = account;
        LANG = "C.UTF-8";
        # There is no pager, and logs need none.
        PAGER = "cat";
        SSL_CERT_FILE = bundle;
        NIX_SSL_CERT_FILE = bundle;
        GIT_SSL_CAINFO = bundle;
        # nix-shell would otherwise look for a bash in nixpkgs.
        NIX_BUILD_SHELL = "${pkgs.bashInteractive}/bin/bash";
        NIX_LD = "${pkgs.glibc}${builtins.replaceStrings [ "/lib64/" ] [ "/lib/" ] loader.${system}}";
        NIX_LD_LIBRARY_PATH = "${pkgs.stdenv.cc.cc.lib}/lib";
      }
      // attrsOf "${name}: config.Env" (config.Env or { });
    };

    files = {
      "/etc/nix/nix.conf".text = builtins.concatStringsSep "" (
        builtins.attrValues (builtins.mapAttrs (key: value: "${key} = ${valueOf value}\n") conf)
      );
      # Jobs mount work folders of other users, and git refuses those; whoever is in the container may read them anyway.
      "/etc/gitconfig".text = "[safe]\n\tdirectory = *\n";
      "/etc/nsswitch.conf".text = "passwd: files\ngroup: files\nhosts: files dns\n";
      "/etc/os-release".text = "ID=nix-images\nNAME=\"Nix in a container\"\n";
      "/etc/ssl/certs/ca-certificates.crt".target = "${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt";
      "/usr/bin/env".target = "${pkgs.coreutils}/bin/env";
      ${loader.${system}}.target = "${pkgs.nix-ld}/libexec/nix-ld";
      "/tmp" = directory "1777" 0;
      "/var/tmp" = directory "1777" 0;
      "/var/empty" = directory "0555" 0;
      ${home} = directory "0700" owner;
      # The database's files belong to whoever owns its folder.
      "/nix/store" = directory "1775" owner;
      "/nix/var/nix" = directory "0755" owner;
      "/nix/var/nix/db" = directory "0755" owner;
      "/nix/var/nix/gcroots" = directory "0755" owner;
      "/nix/var/log/nix" = directory "0755" owner;
    }
    // chosen.files or { }
    // files;

    users = {
      root = {
        uid = 0;
        home = "/root";
      };
      nobody.uid = 65534;
    }
    // builtins.listToAttrs (
      map (builder: {
        name = builder;
        value = {
          uid = builderNumber builder;
          gid = 30000;
          home = "/var/empty";
          shell = "/bin/false";
          description = "Nix build user";
        };
      }) builders
    )
    // chosen.users or { }
    // users;
    groups = {
      nixbld = {
        gid = 30000;
        members = builders;
      };
    }
    // groups;

    tests = {
      builds = trial // {
        command = [
          "bash"
          "-euc"
          ''
            nix-collect-garbage
            nix build --impure --out-link /tmp/built --expr '${smoke}'
            cat /tmp/built
            nix store verify --all --no-contents
            git --version
          ''
        ];
        stdout.matches = "^built by nix[^]*^git version ";
      };
      places.files = {
        "/bin/sh" = true;
        "/usr/bin/env" = true;
        ${loader.${system}} = true;
        "/etc/ssl/certs/ca-certificates.crt".text = "BEGIN CERTIFICATE";
        "/etc/nix/nix.conf".text = "flakes";
        "/tmp".mode = "1777";
        "/var/tmp".mode = "1777";
      };
    }
    // tests;
  }
)
