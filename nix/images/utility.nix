# Recipes for what a cluster has to do now and then: `podman run … utility backup "test" healthcheck-io`.
{ pkgs, mkUtility }:
mkUtility {
  inherit pkgs;
  name = "utility";
  justfile = ./utility.just;
  config.Labels."org.opencontainers.image.description" = "Recipes of a Justfile, with httpie and curl, under tini";
  tests = {
    recipes = {
      command = [ "--list" ];
      stdout = "healthcheck-io";
    };
    unknown = {
      command = [ "bakcup" ];
      exitCode = 1;
      stderr = "does not contain recipe `bakcup`";
    };
    curl = {
      command = [ "--command" "curl" "--version" ];
      stdout.matches = "^Protocols: .* https ";
    };
    content.files = {
      "/bin/http" = true;
      "/etc/ssl/certs/ca-bundle.crt".text = "-----BEGIN CERTIFICATE-----";
    };
  };
}
