# NixOS on Amazon EC2, on instances of x86-64 and of AArch64 that boot by UEFI: all types of the Nitro system.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.ec2;

  isArm = pkgs.stdenv.hostPlatform.isAarch64;

  keys = "/run/ec2/authorized_keys";

  sshd = config.services.openssh;

  takesName = cfg.metadata.enable && config.networking.hostName == "";

  hasKeysOfItsOwn = builtins.any (
    user: user.openssh.authorizedKeys.keys != [ ] || user.openssh.authorizedKeys.keyFiles != [ ]
  ) (builtins.attrValues config.users.users);

  assertThat = assertion: message: { inherit assertion message; };
in
{
  imports = [ ./disk.nix ];

  options.ec2 = {
    metadata = {
      enable = lib.mkOption {
        type = lib.types.bool;
        default = true;
        description = "Whether the instance's host name and key pair are taken from the metadata service (IMDSv2) at every boot.";
      };
      user = lib.mkOption {
        type = lib.types.str;
        default = "root";
        description = "The account that the key pair opens.";
      };
    };
    ssm.enable = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Whether Systems Manager's agent runs: shells without SSH, for instances whose role allows it.";
    };
    instanceConnect = {
      enable = lib.mkOption {
        type = lib.types.bool;
        default = false;
        description = "Whether keys that EC2 Instance Connect sends for a minute open accounts.";
      };
      package = lib.mkOption {
        type = lib.types.nullOr lib.types.package;
        default = pkgs.ec2-instance-connect or null;
        defaultText = "pkgs.ec2-instance-connect, where nixpkgs has it";
        description = "What has `bin/eic_run_authorized_keys`.";
      };
    };
    tpm.enable = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Whether NitroTPM is used where an instance has one: a TPM 2.0.";
    };
  };

  config = {
    boot = {
      # The serial console of EC2 is ttyS0 on both; that of QEMU's board for AArch64 is ttyAMA0. The last one that there is
      # becomes /dev/console.
      kernelParams = lib.optional isArm "console=ttyAMA0,115200n8" ++ [
        "console=ttyS0,115200n8"
        # EBS answers late at times, but it does: "Identify NVMe EBS volumes" of the EBS user guide has the largest value.
        "nvme_core.io_timeout=4294967295"
        # A panic that nobody sees should end in another boot.
        "panic=30"
      ];
      initrd = {
        availableKernelModules = [
          "nvme"
          "ena"
        ];
        systemd.tpm2.enable = lib.mkDefault cfg.tpm.enable;
      };
    };
    security.tpm2.enable = lib.mkDefault cfg.tpm.enable;

    # Amazon's own clock, which every instance reaches without the internet: timesyncd and chrony both take these.
    networking = {
      timeServers = lib.mkDefault [
        "169.254.169.123"
        "fd00:ec2::123"
      ];
      hostName = lib.mkDefault "";
      useNetworkd = lib.mkDefault true;
    };

    # Names such as /dev/sda1 for volumes, as they are called in the EC2 console.
    services.udev.packages = [ pkgs.amazon-ec2-utils ];

    services.amazon-ssm-agent.enable = lib.mkDefault cfg.ssm.enable;

    services.openssh = {
      enable = lib.mkDefault true;
      settings = {
        PermitRootLogin = lib.mkDefault "prohibit-password";
        PasswordAuthentication = lib.mkDefault false;
        KbdInteractiveAuthentication = lib.mkDefault false;
      };
      authorizedKeysFiles = lib.mkIf cfg.metadata.enable [ "${keys}/%u" ];
      # sshd wants a program that nobody but root may change, at a path of which that is true: not in the store.
      extraConfig = lib.mkIf cfg.instanceConnect.enable ''
        AuthorizedKeysCommand /etc/ssh/ec2-instance-connect %u %f
        AuthorizedKeysCommandUser ec2-instance-connect
      '';
    };

    environment.etc."ssh/ec2-instance-connect" = lib.mkIf cfg.instanceConnect.enable {
      mode = "0755";
      text = ''
        #!/bin/sh
        exec ${toString cfg.instanceConnect.package}/bin/eic_run_authorized_keys "$@"
      '';
    };
    users = lib.mkIf cfg.instanceConnect.enable {
      groups.ec2-instance-connect = { };
      users.ec2-instance-connect = {
        isSystemUser = true;
        group = "ec2-instance-connect";
      };
    };

    systemd.services.ec2-metadata = lib.mkIf cfg.metadata.enable {
      description = "Take host name and SSH key from EC2's metadata service";
      wantedBy = [
        "multi-user.target"
        "sshd.service"
      ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      before = [
        "sshd.service"
        "sshd.socket"
      ];
      path = [
        pkgs.curl
        pkgs.coreutils
      ];
      script = ''
        set -- ${keys} ${cfg.metadata.user} ${lib.optionalString takesName "/proc/sys/kernel/hostname"}
        ${builtins.readFile ./ec2-metadata.sh}
      '';
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        StandardOutput = "journal+console";
        # sshd starts meanwhile, with the keys that the system declares.
        Restart = "on-failure";
        RestartSec = 10;
      };
    };

    assertions = [
      (assertThat (!sshd.enable || cfg.metadata.enable || cfg.instanceConnect.enable || cfg.ssm.enable || hasKeysOfItsOwn)
        "ec2.metadata.enable is false, no user has openssh.authorizedKeys, and neither ec2.ssm nor ec2.instanceConnect is enabled: nobody could log in. Enable one of them."
      )
      (assertThat (!(builtins.elem sshd.settings.PermitRootLogin [ true "yes" ] && sshd.settings.PasswordAuthentication == true))
        "services.openssh.settings: PermitRootLogin is \"yes\" and PasswordAuthentication true, so that root's password opens the machine to the internet. Leave both out."
      )
      (assertThat (builtins.match "[a-z_][a-z0-9_-]{0,31}" cfg.metadata.user != null)
        "ec2.metadata.user is \"${cfg.metadata.user}\", which is not the name of an account."
      )
      (assertThat (!cfg.instanceConnect.enable || cfg.instanceConnect.package != null)
        "ec2.instanceConnect.enable is true, but nixpkgs has no package of it: set ec2.instanceConnect.package."
      )
      (assertThat (!cfg.instanceConnect.enable || sshd.enable)
        "ec2.instanceConnect.enable is true, but services.openssh.enable is false. Enable it."
      )
    ];
  };
}
