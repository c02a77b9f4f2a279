# What calls of make-disk-image.nix of NixOS say otherwise than mkDisk, and what to write here, by argument.
let
  machine = "leave it out: no virtual machine is needed";
  fixed = "leave it out: the disk has a GPT with an EFI system partition, an EROFS for the store and an ext4 for the rest";
  uuids = "leave it out: UUIDs follow from the name and the system";
  firmware = "leave it out: the disk has no variables of firmware, and boots by the file that firmware looks for";
in
{
  config = "write nixos = self.nixosConfigurations.server: the whole system, not its config alone";
  lib = "leave it out: nothing of nixpkgs' library is needed";
  baseName = "write name";
  diskSize = "write sizeGiB, in GiB, or leave it out for the least that fits";
  additionalSpace = "write partitions.root.sizeMiB, or leave it out: the root grows at first boot";
  bootSize = "write partitions.esp.sizeMiB";
  label = "write partitions.root.label";
  additionalPaths = "write store";
  contents = "leave it out: what is not in the store is made when the system starts (systemd.tmpfiles, environment.etc)";
  configFile = "leave it out: the system is described where it is built";
  copyChannel = "leave it out: nixpkgs is not on the disk; disk.withNixpkgs of nixosModules.disk allows it";
  onlyNixStore = fixed;
  fsType = fixed;
  partitionTableType = fixed;
  format = "leave it out: the disk is raw; destinations say what it becomes";
  deterministic = "leave it out: equal definitions give equal disks";
  installBootLoader = "leave it out: loader says what boots";
  touchEFIVars = firmware;
  OVMF = firmware;
  efiFirmware = firmware;
  efiVariables = firmware;
  rootGPUID = uuids;
  rootFSUID = uuids;
  memSize = machine;
  postVM = machine;
}
