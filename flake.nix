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
      # The bundle is in releases only; main has its source.
      isRelease = builtins.pathExists ./dist/index.js;
      program =
        pkgs:
        import ./nix/program.nix {
          inherit pkgs;
          dist = ./dist;
        };
    in
    {
      inherit lib;

      packages = if isRelease then forSystems (pkgs: { default = program pkgs; }) else { };

      apps = forSystems (pkgs: {
        default = {
          type = "app";
          program =
            if isRelease then
              "${program pkgs}/bin/nix-images"
            else
              throw "this is the source of nix-images, which has no program: name a release, such as github:org/nix-images/v1";
        };
      });

      nixImages = forSystems (pkgs: {
        nix = lib.mkNix { inherit pkgs; };
        nix-daemon = lib.mkNix {
          inherit pkgs;
          name = "nix-daemon";
          variant = "daemon";
        };
        nix-ssh = lib.mkNixSsh { inherit pkgs; };
        nix-user = lib.mkNix {
          inherit pkgs;
          name = "nix-user";
          variant = "user";
        };
        python = import ./nix/images/python.nix {
          inherit pkgs;
          inherit (lib) mkImage;
        };
        utility = import ./nix/images/utility.nix {
          inherit pkgs;
          inherit (lib) mkUtility;
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

      templates = rec {
        default = container;
        container = {
          path = ./nix/templates/container;
          description = "One image for both systems, and the workflow that publishes it";
        };
        multi-image = {
          path = ./nix/templates/multi-image;
          description = "Several images, each in a file of its own, and the workflow that publishes what changed";
        };
        environment = {
          path = ./nix/templates/environment;
          description = "A shell with tools of one's own as an image, and the workflow that publishes it";
        };
      };
    };
}
