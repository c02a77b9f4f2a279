{
  description = "OCI images from Nix definitions, for x86-64 and AArch64, published as one";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { nixpkgs, ... }:
    let
      inherit (import ./nix { }) lib nixosModules;
      forSystems =
        make:
        builtins.listToAttrs (
          map (system: {
            name = system;
            value = make nixpkgs.legacyPackages.${system};
          }) [ "x86_64-linux" "aarch64-linux" ]
        );
      # Nix prints it below the files that `nix flake init` wrote.
      welcomeOf = what: run: image: ''
        # Next

        Flakes see only what git tracks, and `flake.lock` pins what the ${what} is made of:

            git init && git add . && nix flake lock && git add flake.lock

        See what is in the flake, then build the ${what} into the folder `out` and run it:

            nix run github:org/nix-images/v1 -- plan
            nix run github:org/nix-images/v1 -- publish .#${image} --to oci:out:latest
            ${run}

        Pushed to GitHub, `.github/workflows/images.yml` publishes it to ghcr.io for both systems.
        Nix without flakes takes `--extra-experimental-features 'nix-command flakes'` after `nix`.
      '';
      welcome = welcomeOf "image" "podman run --rm oci:out:latest";
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
      inherit lib nixosModules;

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
          welcomeText = welcome "hello";
        };
        multi-image = {
          path = ./nix/templates/multi-image;
          description = "Several images, each in a file of its own, and the workflow that publishes what changed";
          welcomeText = welcome "web";
        };
        environment = {
          path = ./nix/templates/environment;
          description = "A shell with tools of one's own as an image, and the workflow that publishes it";
          welcomeText = welcome "environment";
        };
        vm = {
          path = ./nix/templates/vm;
          description = "The disk of a NixOS machine for EC2 or QEMU, and the workflow that publishes it";
          welcomeText =
            welcomeOf "disk" "nix run github:org/nix-images/v1 -- pull oci:out:latest server.raw"
              "server";
        };
      };
    };
}
