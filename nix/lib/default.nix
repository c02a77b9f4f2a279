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
}
