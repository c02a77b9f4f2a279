{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
  inputs.nix-images.url = "github:org/nix-images";
  inputs.nix-images.inputs.nixpkgs.follows = "nixpkgs";

  outputs =
    { nixpkgs, nix-images, ... }:
    {
      nixImages = nixpkgs.lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (
        system: with nixpkgs.legacyPackages.${system}; {
          default = nix-images.lib.mkImage {
            name = "hello";
            copyToRoot = [ hello ];
            config.Cmd = [ "/bin/hello" ];
          };
        }
      );
    };
}
