# NixOS modules: `nixosModules` of the flake.
{
  disk = ./disk.nix;
  ec2 = ./ec2.nix;
  trim = ./trim.nix;
}
