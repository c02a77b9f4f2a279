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
    An image with Nix in it: what is in `nix/images/nix.nix` and what is added. Besides these, every argument of `mkImage` that
    adds something: `files`, `users`, `config`, `tag`, ….

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
