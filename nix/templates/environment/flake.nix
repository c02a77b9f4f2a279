# A shell with the tools of packages.nix, for continuous integration or a classroom.
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
          environment = nix-images.lib.mkImage {
            name = "environment";
            copyToRoot = import ./packages.nix { inherit pkgs; };
            config = {
              Cmd = [ "/bin/bash" ];
              Env = {
                PATH = "/bin";
                HOME = "/root";
                SSL_CERT_FILE = "${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt";
              };
              WorkingDir = "/root";
            };
            files."/root".directory = true;
            files."/tmp" = {
              directory = true;
              mode = "1777";
            };
            users.root = {
              uid = 0;
              home = "/root";
              shell = "/bin/bash";
            };
            groups.root.gid = 0;
          };
        }
      );
    };
}
