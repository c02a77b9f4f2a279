# The Nix image as a remote builder: sshd under tini, and a store that may lie in a volume.
{
  pkgs,
  mkImage,
  name ? "nix-ssh",
  config ? { },
  files ? { },
  users ? { },
  tests ? { },
  ...
}@given:
let
  # The interpreter by its store path, so that scripts need nothing of the merged root.
  script = file: {
    text = builtins.replaceStrings [ "#!/bin/bash" ] [ "#!${pkgs.bashInteractive}/bin/bash" ] (builtins.readFile file);
    mode = "0555";
  };

  checked =
    if given ? variant then
      throw "${name}: variant: sshd and the build users need root, so there is but one; leave it out"
    else
      given;
in
import ./nix.nix (
  checked
  // {
    inherit name;
    own = {
      title = "nix-ssh";
      access = "server";
      # sshd ends its sessions itself.
      signals = "";
    };
    config = {
      Cmd = [ "/lib/nix-ssh/serve" ];
      WorkingDir = "/root";
      ExposedPorts."22/tcp" = { };
      # In nanoseconds.
      Healthcheck = {
        Test = [
          "CMD"
          "/lib/nix-ssh/healthy"
        ];
        Interval = 60 * 1000 * 1000 * 1000;
        Timeout = 10 * 1000 * 1000 * 1000;
      };
      Labels."org.opencontainers.image.description" = "A remote builder for Nix over SSH";
    }
    // config;
    files = {
      "/lib/nix-ssh/serve" = script ./nix-ssh/serve.sh;
      "/lib/nix-ssh/session" = script ./nix-ssh/session.sh;
      "/lib/nix-ssh/keys" = script ./nix-ssh/keys.sh;
      "/lib/nix-ssh/healthy" = script ./nix-ssh/healthy.sh;
      "/lib/nix-ssh/sshd_config" = ./nix-ssh/sshd_config;
      # Not locked, for sshd lets no locked account in; nobody has a password all the same.
      "/etc/shadow" = {
        text = "root:*:1::::::\n";
        mode = "0600";
      };
      # A key mounted into it is hidden from builds.
      "/etc/nix-ssh" = {
        directory = true;
        mode = "0700";
      };
    }
    // files;
    users = {
      sshd = {
        uid = 74;
        home = "/var/empty";
        shell = "/bin/false";
      };
    }
    // users;
    tests = {
      # Nobody has the private half of this key.
      serves = {
        env.AUTHORIZED_KEYS = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHQivAePI9otGyBg0j2GknzHP0tLtJ757Zbs23KYZJ3H";
        port = 22;
      };
      refuses = {
        exitCode = 1;
        stderr = "no public key that may log in";
      };
    }
    // tests;
  }
)
