# Entry point without flakes: `(import ./nix { }).lib.mkImage { … }`.
{ }:
{
  lib = import ./lib;
  nixosModules = import ./modules;
}
