# A smaller NixOS, in steps. Each level drops what the levels below it drop, too; docs/disks.md says what, and what that saves.
{ config, lib, ... }:
let
  inherit (config.trim) level;

  from = least: lib.mkIf (level >= least);

  off = lib.mkDefault false;

  assertThat = assertion: message: { inherit assertion message; };
in
{
  options.trim.level = lib.mkOption {
    type = lib.types.enum [
      0
      1
      2
      3
    ];
    default = 0;
    description = ''
      0: nothing is dropped. 1: no manuals, no remains of desktops, no sources of nixpkgs.
      2: no Perl in the system; it can still be rebuilt. 3: an appliance without Nix, which is replaced and not rebuilt.
    '';
  };

  config = lib.mkMerge [
    (from 1 {
      documentation = {
        enable = off;
        doc.enable = off;
        info.enable = off;
        man.enable = off;
        nixos.enable = off;
      };
      environment = {
        defaultPackages = lib.mkDefault [ ];
        stub-ld.enable = off;
      };
      programs = {
        command-not-found.enable = off;
        nano.enable = off;
      };
      services = {
        logrotate.enable = off;
        udisks2.enable = off;
      };
      xdg = {
        autostart.enable = off;
        icons.enable = off;
        mime.enable = off;
        sounds.enable = off;
      };
      fonts.fontconfig.enable = off;
      boot.enableContainers = off;
      nix.channel.enable = off;
      nixpkgs.flake = {
        setNixPath = off;
        setFlakeRegistry = off;
      };
    })
    (from 2 {
      boot = {
        bcache.enable = off;
        initrd.systemd.enable = lib.mkDefault true;
        loader.grub.enable = off;
      };
      programs.less.lessopen = lib.mkDefault null;
      services = {
        userborn.enable = lib.mkDefault true;
        lvm.enable = off;
      };
      system = {
        etc.overlay.enable = lib.mkDefault true;
        tools.nixos-generate-config.enable = off;
        # What brings Perl back is told by name when the system is built.
        forbiddenDependenciesRegexes = [ "-perl-?5" ];
      };
    })
    (from 3 {
      nix.enable = off;
      security = {
        sudo.enable = off;
        polkit.enable = off;
      };
      system = {
        switch.enable = off;
        disableInstallerTools = lib.mkDefault true;
      };
      users = {
        mutableUsers = off;
        allowNoPasswordLogin = lib.mkDefault true;
      };
    })
    {
      assertions = [
        (assertThat (level < 3 || !(config.boot.loader.systemd-boot.enable))
          "trim.level is 3, but boot.loader.systemd-boot.enable is true: such a system is not rebuilt. Take level 2, or a unified kernel image (disk.loader = \"uki\")."
        )
      ];
    }
  ];
}
