# Several images for both systems, each in a file of its own below images/. Layers that they share are sent once.
{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
  inputs.nix-images.url = "github:org/nix-images/v1";
  inputs.nix-images.inputs.nixpkgs.follows = "nixpkgs";

  outputs =
    { nixpkgs, nix-images, ... }:
    {
      nixImages = nixpkgs.lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (
        system:
        let
          pkgs = nixpkgs.legacyPackages.${system};
          image = file: nix-images.lib.mkImage (import file { inherit pkgs; });
        in
        {
          web = image ./images/web.nix;
          worker = image ./images/worker.nix;
        }
      );
    };
}
