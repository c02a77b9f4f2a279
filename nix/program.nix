# nix-images as a package: the bundle of a release with the Node that it needs, and completions for three shells.
{ pkgs, dist }:
let
  inherit (builtins.fromJSON (builtins.readFile (dist + "/package.json"))) version;
in
pkgs.runCommand "nix-images-${version}"
  {
    inherit dist version;
    meta = {
      description = "Builds OCI images from Nix definitions, for x86-64 and AArch64, and publishes them as one";
      license = pkgs.lib.licenses.mit or { };
      mainProgram = "nix-images";
    };
  }
  ''
    mkdir -p "$out/bin"
    printf '#!%s\nexec %s %s/index.js "$@"\n' ${pkgs.runtimeShell} ${pkgs.nodejs_24}/bin/node "$dist" >"$out/bin/nix-images"
    chmod 755 "$out/bin/nix-images"
    complete() {
      mkdir -p "$out/share/''${2%/*}"
      "$out/bin/nix-images" completion "$1" >"$out/share/$2"
    }
    complete bash bash-completion/completions/nix-images
    complete zsh zsh/site-functions/_nix-images
    complete fish fish/vendor_completions.d/nix-images.fish
  ''
