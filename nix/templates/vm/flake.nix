# One disk for both systems, of a NixOS system. This makes it here, into the folder out:
#   nix run github:org/nix-images/v1 -- publish .#server --to oci:out
{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
  inputs.nix-images.url = "github:org/nix-images/v1";
  inputs.nix-images.inputs.nixpkgs.follows = "nixpkgs";

  outputs =
    {
      self,
      nixpkgs,
      nix-images,
      ...
    }:
    let
      forSystems = nixpkgs.lib.genAttrs [ "x86_64-linux" "aarch64-linux" ];
    in
    {
      # By system, for the disks of both are one image.
      nixosConfigurations = forSystems (
        system:
        nixpkgs.lib.nixosSystem {
          inherit system;
          modules = [
            nix-images.nixosModules.ec2
            nix-images.nixosModules.trim
            ./server.nix
          ];
        }
      );

      nixImages = forSystems (system: {
        server = nix-images.lib.mkDisk {
          name = "server";
          nixos = self.nixosConfigurations.${system};
          tests.serves = {
            prompt = true;
            port = 22;
          };
        };
      });
    };
}
