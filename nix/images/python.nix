# Python with what a container needs to be pleasant: a place for temporary files, a home, a user that is not root.
{ pkgs, mkImage }:
mkImage {
  name = "python";
  copyToRoot = [ pkgs.python3 ];
  config = {
    Cmd = [ "${pkgs.python3}/bin/python3" ];
    Env = {
      PATH = "/bin";
      HOME = "/tmp";
      LANG = "C.UTF-8";
      # Log lines appear when they are printed, and the image's files are read-only for its user anyway.
      PYTHONUNBUFFERED = "1";
      PYTHONDONTWRITEBYTECODE = "1";
    };
    WorkingDir = "/tmp";
    Labels."org.opencontainers.image.description" = "The Python interpreter and nothing else";
  };
  files."/tmp" = {
    directory = true;
    mode = "1777";
  };
  users.root = {
    uid = 0;
    home = "/root";
  };
  users.nobody.uid = 65534;
  groups.root.gid = 0;
  groups.nobody.gid = 65534;
  tests."runs as anybody" = {
    command = [
      "python3"
      "-c"
      "import hashlib, tempfile; tempfile.TemporaryFile(); print(hashlib.sha256(b'').hexdigest())"
    ];
    user = 65534;
    stdout = "e3b0c44298fc1c149afbf4c8996fb924";
  };
}
