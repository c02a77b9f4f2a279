# Nix in a minimal Linux user space: to build flakes in, on a laptop or as a CI job's container.
# `variant` says who runs Nix: "root" (single user), "user" (single user, and any user of the group), "daemon" (nix-daemon for
# all users).
# What else `mkImage` takes is added to the image's own: packages, settings, files, users, variables.
{
  pkgs,
  mkImage,
  name ? "nix",
  variant ? "root",
  uid ? 1000,
  gid ? 0,
  user ? "nix",
  group ? user,
  packages ? [ ],
  settings ? { },
  config ? { },
  files ? { },
  users ? { },
  groups ? { },
  tests ? { },
  # What nix-ssh has in another way.
  own ? { },
  ...
}@given:
let
  inherit (import ../lib/check.nix) attrsOf;
  inherit (import ../lib/packages.nix) packagesOf;
  userland = (import ../lib/userland.nix).userlandOf pkgs;

  # The interpreter by its store path, so that scripts need nothing of the merged root.
  script = file: {
    text = builtins.replaceStrings (builtins.attrNames words) (builtins.attrValues words) (builtins.readFile file);
    mode = "0555";
  };
  words = {
    "#!/bin/bash" = "#!${pkgs.bashInteractive}/bin/bash";
    "@tini@" = "${pkgs.tini}/bin/tini";
    "@coreutils@" = "${pkgs.coreutils}";
    "@title@" = chosen.title or "nix";
    "@access@" = chosen.access or "root";
    "@signals@" = chosen.signals or "-g";
    "@before@" = chosen.before or "";
    "@uid@" = toString uid;
    "@gid@" = toString gid;
  };

  variants = {
    root = {
      owner = 0;
      group = 0;
      home = "/root";
      homeMode = "0700";
      folderMode = "0755";
      settings.build-users-group = "nixbld";
    };
    # All of it belongs to a group too, so that any user of that group can run Nix: OpenShift takes random ones, of group 0.
    user = {
      owner = uid;
      group = gid;
      home = "/home/${user}";
      homeMode = "0770";
      folderMode = "0775";
      access = "user";
      # Who may not change users builds as himself.
      settings.build-users-group = "";
      config.User = "${toString uid}:${toString gid}";
      users.${user} = {
        inherit uid gid;
        home = "/home/${user}";
      };
      groups = if gid == 0 then { } else { ${group}.gid = gid; };
    };
    daemon = variants.root // {
      # A command that ends may still have something to say to the daemon, which ends with the container.
      signals = "";
      before = "/bin/with-nix-daemon";
      config.Cmd = [ ];
      files = {
        "/bin/with-nix-daemon" = script ./nix/daemon.sh;
      }
      // builtins.listToAttrs (
        map (name: {
          name = others.${name}.home;
          value = {
            directory = true;
            mode = "0700";
            inherit (others.${name}) uid;
            gid = others.${name}.uid;
          };
        }) (builtins.attrNames others)
      );
      users = others;
    };
  };
  # Whom the daemon serves without further ado: the numbers that containers, GitHub's runner and nobody have.
  others = {
    nix = {
      uid = 1000;
      home = "/home/nix";
    };
    runner = {
      uid = 1001;
      home = "/home/runner";
    };
    nobody = {
      uid = 65534;
      home = "/home/nobody";
    };
  };
  chosen =
    variants.${variant}
      or (throw "nix image: unknown variant '${toString variant}'; there are ${builtins.concatStringsSep ", " (builtins.attrNames variants)}")
    // own;
  inherit (chosen) owner home;

  # Arguments that would be ignored.
  forUser = builtins.filter (argument: given ? ${argument}) [
    "uid"
    "gid"
    "user"
    "group"
  ];
  arguments =
    if variant != "user" && forUser != [ ] then
      throw "${name}: ${builtins.head forUser}: only the variant \"user\" takes it; accounts are added by users"
    else if variant == "user" && uid == 0 then
      throw "${name}: uid: expected a user that is not root, whose variant is \"root\""
    else
      given;

  directory = mode: owner: group: {
    directory = true;
    inherit mode;
    uid = owner;
    gid = group;
  };
  stateFolder = directory chosen.folderMode owner chosen.group;

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
  trial.env.NIX_CONFIG = "substituters =\nfilter-syscalls = false";

  # Where programs that were not built by Nix look for the C library's loader: the runner's own node is one of them.
  loader = {
    x86_64-linux = "/lib64/ld-linux-x86-64.so.2";
    aarch64-linux = "/lib/ld-linux-aarch64.so.1";
  };
  system = pkgs.stdenv.hostPlatform.system;

  # Written down where no volume hides it: what the image needs of its store.
  complete =
    image:
    let
      described = mkImage image;
      paths = map (root: builtins.unsafeDiscardStringContext root.outPath) (builtins.filter (root: root.outPath != described.fromImage) described.roots);
      unique = builtins.attrNames (builtins.listToAttrs (map (name: { inherit name; value = null; }) paths));
      roots."/lib/nix-images/roots".text = builtins.concatStringsSep "" (map (path: "${path}\n") unique);
    in
    mkImage (image // { files = roots // image.files; });
in
complete (
  removeAttrs arguments [
    "pkgs"
    "mkImage"
    "variant"
    "uid"
    "gid"
    "user"
    "group"
    "packages"
    "settings"
    "own"
  ]
  // {
    inherit name;
    # What the user names replaces it.
    replaceable = [
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
      pkgs.curl
      pkgs.less
      pkgs.which
      pkgs.tini
    ];
    copyToRoot =
      packagesOf "${name}: packages" pkgs packages
      ++ (if builtins.isList given.copyToRoot or [ ] then given.copyToRoot or [ ] else [ given.copyToRoot ]);
    includeNixDB = true;

    config = {
      Entrypoint = [
        "/lib/nix-images/sh"
        "/lib/nix-images/start"
      ];
      Cmd = [ "${pkgs.bashInteractive}/bin/bash" ];
      WorkingDir = home;
      Labels."org.opencontainers.image.description" = "Nix in a minimal Linux user space";
    }
    // chosen.config or { }
    // config
    // {
      Env = {
        PATH = "${home}/.nix-profile/bin:/nix/var/nix/profiles/default/bin:/bin";
        # No HOME and no USER: they would be the same for each user of `podman exec --user`. Runtimes take HOME from /etc/passwd.
        LANG = "C.UTF-8";
        inherit (userland.env) TZDIR;
        # Of what fits on the screen nothing is left to wait for.
        LESS = "-FRX";
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
      inherit (userland.files) "/etc/services" "/etc/protocols" "/usr/share/zoneinfo";
      "/lib/nix-images/sh" = {
        source = "${pkgs.busybox-sandbox-shell}/bin/busybox";
        mode = "0555";
      };
      "/lib/nix-images/start" = script ./nix/start.sh;
      "/lib/nix-images/run" = script ./nix/run.sh;
      "/lib/nix-images/fill" = script ./nix/fill.sh;
      "/usr/bin/env".target = "${pkgs.coreutils}/bin/env";
      ${loader.${system}}.target = "${pkgs.nix-ld}/libexec/nix-ld";
      "/tmp" = directory "1777" 0 0;
      "/var/tmp" = directory "1777" 0 0;
      "/var/empty" = directory "0555" 0 0;
      ${home} = directory chosen.homeMode owner chosen.group;
      # The database's files belong to whoever owns its folder.
      "/nix/store" = directory "1775" owner chosen.group;
      "/nix/var/nix" = stateFolder;
      "/nix/var/nix/db" = stateFolder;
      "/nix/var/nix/gcroots" = stateFolder;
      "/nix/var/nix/gcroots/image" = stateFolder;
      "/nix/var/log/nix" = stateFolder;
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
      root.gid = 0;
      nixbld = {
        gid = 30000;
        members = builders;
      };
    }
    // chosen.groups or { }
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
        "/etc/services".text.matches = "^ssh\\s+22/tcp";
        "/etc/protocols".text.matches = "^tcp\\s+6";
        "/usr/share/zoneinfo/Europe/Berlin" = true;
        "/tmp".mode = "1777";
        "/var/tmp".mode = "1777";
      };
    }
    // tests;
  }
)
