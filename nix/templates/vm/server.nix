# What the machine is. Without ec2 (in flake.nix), nixosModules.disk has the layout alone, for other clouds.
{
  trim.level = 2;

  # The key pair of the instance opens root; others may be added here.
  users.users.root.openssh.authorizedKeys.keys = [ ];

  system.stateVersion = "26.05";
}
