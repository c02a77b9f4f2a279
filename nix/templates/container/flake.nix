# One image for both systems. This builds it here, into the folder out:
#   nix run github:org/nix-images/v1 -- publish .#hello --to oci:out
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
        in
        {
          hello = nix-images.lib.mkImage {
            name = "hello";
            copyToRoot = [ pkgs.hello ];
            config.Cmd = [ "/bin/hello" ];
            tests.greets.stdout = "Hello, world!";
          };
        }
      );
    };
}
