# Serves the files of its working folder on port 8000.
{ pkgs }:
{
  name = "web";
  copyToRoot = [ pkgs.python3 ];
  config = {
    Cmd = [
      "${pkgs.python3}/bin/python3"
      "-m"
      "http.server"
    ];
    ExposedPorts."8000/tcp" = { };
  };
  files."/tmp" = {
    directory = true;
    mode = "1777";
  };
  tests.serves.port = {
    number = 8000;
    path = "/";
  };
}
