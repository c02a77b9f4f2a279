# Recipes for what a cluster has to do now and then: `podman run … utility backup "test" healthcheck-io`.
{ pkgs, mkUtility }:
mkUtility {
  inherit pkgs;
  name = "utility";
  justfile = ./utility.just;
  config.Labels."org.opencontainers.image.description" = "Recipes of a Justfile, with httpie and curl, under tini";
  tests =
    let
      # As Kubernetes' Pod Security Standard "restricted" has it, with a read-only root besides.
      restricted = {
        readOnly = true;
        noNewPrivileges = true;
        capabilities.drop = [ "ALL" ];
      };
    in
    {
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
        "/bin/less" = true;
        "/bin/which" = true;
        "/etc/services".text = "https";
        "/etc/ssl/certs/ca-bundle.crt".text = "-----BEGIN CERTIFICATE-----";
      };
      restricted = restricted // {
        tmpfs = [ "/tmp" ];
        env.TZ = "Asia/Tokyo";
        command = [ "--command" "bash" "-c" "id -u; pwd; date +%Z >zone; cat zone; which date" ];
        stdout.equals = "65532\n/tmp\nJST\n/bin/date\n";
      };
      "no place for a session" = restricted // {
        command = [ "--command" "http" "--session=me" "GET" "127.0.0.1:9" ];
        exitCode = 1;
        stderr = "so nothing was sent";
      };
      "recipes in a folder" = restricted // {
        volumes."/recipes" = "recipes";
        steps = [
          {
            user = 0;
            entrypoint = [ "bash" "-c" ];
            command = [ "printf 'hello:\\n\\t@echo hello\\n' >/recipes/justfile" ];
          }
          {
            volumes."/recipes" = {
              name = "recipes";
              readOnly = true;
            };
            env.JUST_JUSTFILE = "/recipes/justfile";
            command = [ "hello" ];
            stdout.equals = "hello\n";
          }
        ];
      };
    };
}
