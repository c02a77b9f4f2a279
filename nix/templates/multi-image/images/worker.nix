# Does one thing and ends.
{ pkgs }:
{
  name = "worker";
  copyToRoot = [ pkgs.hello ];
  config.Cmd = [ "/bin/hello" ];
}
