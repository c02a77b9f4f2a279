# Functions that describe images. They are pure data: no derivation is made and no `pkgs` is needed.
{
  /**
    Describes an OCI image as a plain value, the image definition. The arguments are those of
    `dockerTools.buildLayeredImage` where that has them; `docs/definition.md` lists them all.

    # Type

    ```
    mkImage :: { name, copyToRoot ? [ ], config ? { }, files ? { }, ... } -> definition
    ```

    # Example

    ```nix
    mkImage {
      name = "app";
      copyToRoot = [ pkgs.hello ];
      config.Cmd = [ "hello" ];
    }
    ```
  */
  mkImage = import ./mk-image.nix;

  /**
    Describes the disk of a virtual machine as a plain value, the disk definition: of a NixOS system as it is, or of kernel,
    initrd, command line and store paths. `docs/disks.md` lists all arguments.

    # Type

    ```
    mkDisk :: { nixos ? null, name, boot ? { }, store ? [ ], ... } -> definition
    ```

    # Example

    ```nix
    mkDisk {
      name = "server";
      nixos = self.nixosConfigurations.server;
    }
    ```
  */
  mkDisk = import ./mk-disk.nix;

  /**
    Describes an image whose arguments are recipes of a Justfile, run in order by just under tini, with bash, coreutils,
    curl, httpie and certificates. `packages` are added, by name or as they are; all arguments of `mkImage` may be given too.

    # Type

    ```
    mkUtility :: { pkgs, justfile, packages ? [ ], name ? "utility", ... } -> definition
    ```

    # Example

    ```nix
    mkUtility {
      inherit pkgs;
      justfile = ./justfile;
      packages = [ "jq" ];
    }
    ```
  */
  mkUtility = import ./mk-utility.nix;

  /**
    An image with Nix in it: what is in `nix/images/nix.nix` and what is added. Besides these, every argument of `mkImage` that
    adds something: `files`, `users`, `config`, `tag`, …. The variant "user" takes `uid`, `gid`, `user` and `group` too.

    # Type

    ```
    mkNix :: { pkgs, variant ? "root", packages ? [ ], settings ? { }, ... } -> definition
    ```

    # Example

    ```nix
    mkNix {
      inherit pkgs;
      name = "team/ci";
      packages = [ pkgs.jq ];
      settings.max-jobs = 2;
    }
    ```
  */
  mkNix = given: import ../images/nix.nix ({ mkImage = import ./mk-image.nix; } // given);

  /**
    The same as a remote builder that is reached by SSH: `nix/images/nix-ssh.nix`.

    # Type

    ```
    mkNixSsh :: { pkgs, packages ? [ ], settings ? { }, ... } -> definition
    ```
  */
  mkNixSsh = given: import ../images/nix-ssh.nix ({ mkImage = import ./mk-image.nix; } // given);
}
