# NixOS on a disk that nix-images makes: an EFI system partition, the store as EROFS, and a small ext4 root behind it that
# grows at first boot. `mkDisk { nixos = …; }` makes the disk of such a system.
{
  config,
  lib,
  ...
}:
let
  cfg = config.disk;

  byLabel = label: "/dev/disk/by-partlabel/${label}";

  esp = config.boot.loader.efi.efiSysMountPoint;

  isRebuildable = cfg.loader == "systemd-boot";

  nixpkgs = config.nixpkgs.flake;

  root = config.fileSystems."/";

  text = value: if value == null then "not set" else "\"${toString value}\"";

  labelOption =
    default: what:
    lib.mkOption {
      type = lib.types.str;
      inherit default;
      description = "Label of ${what}: at most 15 letters, digits, `_`, `.` and `-`. Two disks in one machine need different ones.";
    };

  flagOption =
    default: description:
    lib.mkOption {
      type = lib.types.bool;
      inherit default description;
    };

  assertThat = assertion: message: { inherit assertion message; };

  isLabel = label: builtins.match "[A-Za-z0-9][A-Za-z0-9_.-]{0,14}" label != null;
in
{
  options.disk = {
    loader = lib.mkOption {
      type = lib.types.enum [
        "uki"
        "systemd-boot"
      ];
      default = "uki";
      description = "A unified kernel image, which is replaced with the disk, or systemd-boot, whose entries `nixos-rebuild` writes.";
    };
    labels = {
      store = labelOption "nix-store" "the store's partition";
      root = labelOption "nixos" "the root's partition";
    };
    writableStore = flagOption true "Whether paths can be added to the store: they are kept on the root partition, in an overlay.";
    verity = flagOption false "Whether dm-verity guards the store of the disk; the unified kernel image has the root hash.";
    grow = flagOption true "Whether the root takes what is free of the disk, at every boot.";
    registration = flagOption config.nix.enable "Whether the paths of the disk are put into Nix's database at first boot.";
    withNixpkgs = flagOption false "Whether the sources of nixpkgs may be on the disk, for `nixpkgs#…` without a download.";
  };

  config = {
    boot = {
      loader = {
        grub.enable = lib.mkDefault false;
        systemd-boot = lib.mkIf isRebuildable {
          enable = lib.mkDefault true;
          # Kernel and initrd of each are on the EFI system partition.
          configurationLimit = lib.mkDefault 4;
        };
        # Nobody sits before the screen of a virtual machine.
        timeout = lib.mkDefault 1;
      };
      initrd = {
        systemd = {
          enable = lib.mkDefault true;
          repart.enable = lib.mkIf cfg.grow (lib.mkDefault true);
          dmVerity.enable = lib.mkIf cfg.verity true;
        };
        nix-store-veritysetup.enable = lib.mkIf cfg.verity true;
        # The disk of most virtual machines, whoever runs them.
        availableKernelModules = [
          "nvme"
          "virtio_blk"
          "virtio_pci"
          "virtio_scsi"
          "sd_mod"
          "erofs"
        ];
      };
    };

    # The root is the last partition; systemd-repart knows it by its type and gives it what is free. Its file system is
    # grown while it is mounted, by systemd-growfs (autoResize).
    systemd.repart.partitions = lib.mkIf cfg.grow { "10-root".Type = "root"; };

    fileSystems = {
      "/" = {
        device = lib.mkDefault (byLabel cfg.labels.root);
        fsType = lib.mkDefault "ext4";
        autoResize = lib.mkIf cfg.grow (lib.mkDefault true);
      };
      ${if cfg.writableStore then "/nix/.ro-store" else "/nix/store"} = {
        device = if cfg.verity then "/dev/mapper/nix-store" else byLabel cfg.labels.store;
        fsType = "erofs";
        options = [ "ro" ];
        neededForBoot = true;
        noCheck = true;
      };
    }
    // lib.optionalAttrs cfg.writableStore {
      "/nix/store" = {
        overlay = {
          lowerdir = [ "/nix/.ro-store" ];
          upperdir = "/nix/.rw-store/upper";
          workdir = "/nix/.rw-store/work";
        };
        neededForBoot = true;
      };
    }
    // lib.optionalAttrs isRebuildable {
      "/boot" = {
        device = lib.mkDefault (byLabel "ESP");
        fsType = lib.mkDefault "vfat";
        # The loader's random seed is nobody else's business.
        options = [ "umask=0077" ];
      };
    };

    nix.channel.enable = lib.mkIf (!cfg.withNixpkgs) (lib.mkDefault false);
    nixpkgs.flake = lib.mkIf (!cfg.withNixpkgs) {
      setNixPath = lib.mkDefault false;
      setFlakeRegistry = lib.mkDefault false;
    };

    # What live systems of NixOS do from a file of that name.
    systemd.services.nix-registration = lib.mkIf cfg.registration {
      description = "Put the paths of the disk into Nix's database";
      wantedBy = [ "multi-user.target" ];
      before = [
        "nix-daemon.service"
        "nix-daemon.socket"
        "multi-user.target"
      ];
      unitConfig = {
        ConditionPathExists = [
          "/nix/store/nix-path-registration"
          "!/nix/var/nix/.registered"
        ];
        RequiresMountsFor = "/nix/store";
        DefaultDependencies = false;
      };
      after = [ "local-fs.target" ];
      conflicts = [ "shutdown.target" ];
      environment.HOME = "/root";
      # nixos-rebuild wants a profile, whose first generation is the disk's, and knows a system by /etc/NIXOS.
      script = ''
        ${config.nix.package}/bin/nix-store --load-db < /nix/store/nix-path-registration
        ${config.nix.package}/bin/nix-env -p /nix/var/nix/profiles/system --set "$(readlink -f /run/current-system)"
        test -e /etc/NIXOS || touch /etc/NIXOS
        touch /nix/var/nix/.registered
      '';
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
      };
    };

    assertions = [
      (assertThat (root.fsType == "ext4")
        "fileSystems.\"/\".fsType is ${text root.fsType}, but the root of the disk is made as ext4. Leave it out."
      )
      (assertThat (root.device == byLabel cfg.labels.root)
        "fileSystems.\"/\".device is ${text root.device}, but the root of the disk is ${byLabel cfg.labels.root}. Leave it out, or set disk.labels.root."
      )
      (assertThat (!isRebuildable || esp == "/boot")
        "boot.loader.efi.efiSysMountPoint is ${text esp}, but the EFI system partition is mounted at /boot: systemd-boot would look where it is not. Leave the option out."
      )
      (assertThat (isRebuildable || !config.boot.loader.systemd-boot.enable)
        "boot.loader.systemd-boot.enable is true, but disk.loader is \"uki\", which has no entries. Set disk.loader to \"systemd-boot\"."
      )
      (assertThat (!config.boot.loader.grub.enable)
        "boot.loader.grub.enable is true, but the disk boots by UEFI without GRUB. Set it to false."
      )
      (assertThat config.boot.initrd.systemd.enable
        "boot.initrd.systemd.enable is false, but systemd-repart and dm-verity need systemd in the initrd. Leave it out."
      )
      (assertThat (cfg.withNixpkgs || !nixpkgs.setFlakeRegistry && !nixpkgs.setNixPath)
        "nixpkgs.flake.setFlakeRegistry or setNixPath is true, so that the sources of nixpkgs are on the disk. Leave both out, or set disk.withNixpkgs to true."
      )
      (assertThat (!config.system.copySystemConfiguration)
        "system.copySystemConfiguration is true, but a disk has no configuration.nix that could be built again. Leave it out."
      )
      (assertThat (!cfg.verity || !isRebuildable)
        "disk.verity is true, but disk.loader is \"systemd-boot\": the root hash is in a unified kernel image. Choose one of them."
      )
      (assertThat (isLabel cfg.labels.store && isLabel cfg.labels.root && cfg.labels.store != cfg.labels.root)
        "disk.labels: store ${text cfg.labels.store} and root ${text cfg.labels.root} must differ and have at most 15 letters, digits, _ . -"
      )
    ];
  };
}
