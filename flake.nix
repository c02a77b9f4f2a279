{
  description = "OCI images from Nix definitions, for x86-64 and AArch64, published as one";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { nixpkgs, ... }:
    let
      inherit (import ./nix { }) lib;
      forSystems =
        make:
        builtins.listToAttrs (
          map (system: {
            name = system;
            value = make nixpkgs.legacyPackages.${system};
          }) [ "x86_64-linux" "aarch64-linux" ]
        );
    in
    {
      inherit lib;

      nixImages = forSystems (pkgs: {
        python = import ./nix/images/python.nix {
          inherit pkgs;
          inherit (lib) mkImage;
        };
      });

      devShells = forSystems (pkgs: {
        default = pkgs.mkShellNoCC {
          packages = [
            pkgs.nodejs_24
            pkgs.skopeo
            pkgs.umoci
          ];
        };
      });

      templates.default = {
        path = ./nix/templates/default;
        description = "An image for both systems";
      };
    };
}
