# What is in the environment; https://search.nixos.org/packages has the names.
{ pkgs }:
[
  pkgs.bashInteractive
  pkgs.coreutils
  pkgs.git
  pkgs.python3
]
