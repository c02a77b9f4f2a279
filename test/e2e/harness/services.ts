import { debianPackages } from '../../fixtures/debian/generate.ts';
import { lockedFlake } from './consumer.ts';
import { flakeInputs } from './flake-inputs.ts';

/** So many that their plan is more than the 64 KiB which go by a job's output. */
export const SERVICES = Array.from({ length: 120 }, (_, at) => `service-${100 + at}`);

const text = (packages: string, release: string): string => `{
  ${flakeInputs(packages, release)}

  outputs = { nixpkgs, nix-images, ... }:
    let
      inherit (nix-images.lib) mkImage;
      native = nixpkgs.legacyPackages.x86_64-linux.busybox;
      foreign = nixpkgs.legacyPackages.aarch64-linux.busybox;
      # Made on x86-64 for AArch64, which it says as packages of pkgsCross do.
      cross = derivation {
        name = "busybox-cross";
        system = "x86_64-linux";
        builder = "\${native}/bin/sh";
        args = [ "-euc" "mkdir -p $out/bin; cp \${foreign.static}/busybox $out/bin/" ];
        PATH = "\${native}/bin";
      } // { stdenv.hostPlatform.system = "aarch64-linux"; };
      withImage = package: package // {
        nixImage = mkImage {
          name = "app";
          copyToRoot = [ package ];
          config.Cmd = [ "\${package}/bin/busybox" "uname" "-m" ];
        };
      };
      service = name: { inherit name; value = mkImage { inherit name; config.Labels.kind = "service"; }; };
    in
    {
      packages.x86_64-linux = { app = withImage native; app-arm64 = withImage cross; };
      nixImages = builtins.mapAttrs (_: _:
        builtins.listToAttrs (map service (builtins.fromJSON ''${JSON.stringify(SERVICES)}''))
      ) nixpkgs.legacyPackages;
    };
}
`;

/**
 * A flake of many images that have nothing in them, and of `app`, which is made on x86-64 for both systems. `release` is the
 * release tree.
 */
export const servicesFlake = async (release: string) => lockedFlake(text(await debianPackages(), release));
