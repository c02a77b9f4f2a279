# Python with what a container needs to be pleasant: certificates, time zones, a shell, a place for temporary files, a user
# that is not root, and a first process that ends when it is told to.
{ pkgs, mkImage }:
let
  inherit (import ../lib/userland.nix) userlandOf;
  userland = userlandOf pkgs;
  nobody = 65532;

  say = program: [ "python3" "-c" program ];

  # As Kubernetes' Pod Security Standard "restricted" has it, with a read-only root besides.
  restricted = {
    readOnly = true;
    noNewPrivileges = true;
    capabilities.drop = [ "ALL" ];
    tmpfs = [ "/tmp" ];
  };
in
mkImage {
  name = "python";
  copyToRoot = [
    pkgs.python3
    # /bin/sh, which os.system and subprocess ask for.
    pkgs.bash
    pkgs.cacert
    pkgs.tini
  ];
  config = {
    # The kernel keeps a first process from SIGTERM that does not ask for it, and Python does not.
    Entrypoint = [
      "${pkgs.tini}/bin/tini"
      "--"
    ];
    Cmd = [ "${pkgs.python3}/bin/python3" ];
    # By number: Kubernetes' runAsNonRoot cannot see that a name is not root's.
    User = "${toString nobody}:${toString nobody}";
    Env = {
      PATH = "/bin";
      HOME = "/tmp";
      LANG = "C.UTF-8";
      SSL_CERT_FILE = "/etc/ssl/certs/ca-bundle.crt";
      # Log lines appear when they are printed, and the image's files are read-only for its user anyway.
      PYTHONUNBUFFERED = "1";
      PYTHONDONTWRITEBYTECODE = "1";
    }
    // userland.env;
    WorkingDir = "/tmp";
    Labels."org.opencontainers.image.description" = "The Python interpreter, certificates, time zones and a shell";
  };
  files = userland.files // {
    "/tmp" = {
      directory = true;
      mode = "1777";
    };
    # Where programs look that were not made for Nix.
    "/etc/ssl/certs/ca-certificates.crt".target = "ca-bundle.crt";
  };
  users = {
    root = {
      uid = 0;
      home = "/root";
    };
    python = {
      uid = nobody;
      home = "/tmp";
    };
    nobody.uid = 65534;
  };
  groups = {
    root.gid = 0;
    python.gid = nobody;
    nobody.gid = 65534;
  };
  tests = {
    restricted = restricted // {
      command = say "import os, pwd, tempfile; tempfile.TemporaryFile(); print(os.getuid(), pwd.getpwuid(os.getuid()).pw_name, os.getcwd())";
      stdout.equals = "65532 python /tmp\n";
    };
    "runs as anybody" = restricted // {
      user = 12345;
      command = say "import hashlib, tempfile; tempfile.TemporaryFile(); print(hashlib.sha256(b'').hexdigest())";
      stdout = "e3b0c44298fc1c149afbf4c8996fb924";
    };
    "knows zones services and authorities" = {
      env.TZ = "Asia/Tokyo";
      command = say "import socket, ssl, time, zoneinfo; print(time.strftime('%Z'), zoneinfo.ZoneInfo('Europe/Berlin'), socket.getservbyname('https'), ssl.create_default_context().cert_store_stats()['x509_ca'] > 100)";
      stdout.equals = "JST Europe/Berlin 443 True\n";
    };
    "has a shell" = {
      command = say "import subprocess; print(subprocess.check_output('echo $HOME', shell=True))";
      stdout = "/tmp";
    };
    "ends when it is told to" = {
      command = say "import os, signal, time; os.kill(1, signal.SIGTERM); time.sleep(50)";
      exitCode = 143;
    };
  };
}
