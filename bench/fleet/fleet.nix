# Images of packages of one closure, which share most of it, and one image that holds what all of them do.
{
  # JSON: for each image the names of the packages that its app needs, by spaces.
  sets,
  # As for image.nix.
  packages,
  hashes,
  rebuilt ? "",
  revision ? "0",
  compression ? "gzip",
  maxLayers ? "100",
  hostSystem,
}:
let
  # Once for all images, as a flake takes its packages from one nixpkgs.
  packageSet = import ../fixture/packages.nix {
    inherit
      packages
      hashes
      rebuilt
      revision
      hostSystem
      ;
  };
  ofImage =
    name: roots:
    import ../fixture/image.nix {
      inherit
        name
        roots
        packages
        hashes
        rebuilt
        compression
        maxLayers
        hostSystem
        packageSet
        ;
      # An app of its own.
      revision = "${revision}-${name}";
    };
  all = builtins.fromJSON sets;
  made = builtins.mapAttrs ofImage all;
  union = ofImage "union" (builtins.concatStringsSep " " (builtins.attrValues all));
in
builtins.mapAttrs (_name: { image, ... }: image) (made // { inherit union; })
// {
  apps = builtins.mapAttrs (_name: { app, ... }: app) (made // { inherit union; });
}
