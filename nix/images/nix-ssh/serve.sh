#!/bin/bash
# Starts sshd with the keys that the container was given. Its sessions can do nothing but talk to Nix.
set -euo pipefail
umask 077

refuse() {
  printf 'nix-ssh: %s\n' "$@" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || refuse 'sshd and the build users need root inside the container.' \
  'Leave --user and runAsUser out; podman without root gives a root that is none outside.'

port=${SSH_PORT:-22}
case $port in
  '' | *[!0-9]*) refuse "SSH_PORT is '$port', expected a port number." ;;
esac

# For root alone, for builds run without a sandbox and may read whatever is open to all.
run=/run/nix-ssh
# sshd's own is nixpkgs' /var/empty and Debian's /run/sshd, which a volume at /run hides.
rm -rf "$run" 2>/dev/null && mkdir -p "$run" && mkdir -p -m 0755 /run/sshd ||
  refuse '/run cannot be written to.' 'With a read-only root, mount a tmpfs there (podman: --tmpfs /run; Kubernetes: an emptyDir in memory).'
mounted=/etc/nix-ssh

printf '%s\n' "${AUTHORIZED_KEYS:-}" >"$run/authorized_keys"
/lib/nix-ssh/keys check || refuse 'Give one, such as: podman run -e AUTHORIZED_KEYS="$(cat ~/.ssh/id_ed25519.pub)" …'

# Beside the store, so that a new container on the same volume is the same host to its clients.
own=/nix/var/nix-ssh
key=ssh_host_ed25519_key
hostKey=$run/$key

# Makes a host key that is there whole or not at all, however many containers start on one volume, and whatever one that was
# killed has left.
makeKey() {
  local folder
  folder=$(mktemp -d "$own/new.XXXXXX")
  ssh-keygen -q -t ed25519 -N '' -C nix-ssh -f "$folder/key"
  sync "$folder/key"
  ln "$folder/key" "$own/$key" 2>/dev/null || [ -s "$own/$key" ]
  rm -rf "$folder"
}

# Whether builds can read the file, tried as one of their users.
isOpen() {
  chroot --userspec=30001:30000 --groups=30000 / "$(type -P test)" -r "$1" 2>/dev/null
}

if [ -f "$mounted/$key" ]; then
  from=$mounted/$key
  ! isOpen "$from" || refuse "$from can be read by every build." \
    'Mount it so that only root can read it (mode 0400; a Secret of Kubernetes: defaultMode: 0400).'
else
  from=$own/$key
  mkdir -p "$own"
  # Groups of a volume (fsGroup) must not open it.
  chmod 0700 "$own"
  # Of a start that was broken off, by a kill or a loss of power, and not of a container that starts at this moment.
  find "$own" -maxdepth 1 -name 'new*' -mmin +5 -exec rm -rf {} +
  if [ -e "$from" ] && [ ! -s "$from" ]; then rm -f "$from"; fi
  [ -e "$from" ] || makeKey
fi
# A copy, mended: ssh wants it for the owner alone, with ends of lines as Unix has them and one at the end.
printf '%s\n' "$(tr -d '\r' <"$from")" >"$hostKey"
publicKey=$(ssh-keygen -y -P '' -f "$hostKey" </dev/null) ||
  refuse "$from is not a private key for ssh, or one with a passphrase." 'Mount another one, or delete it: a missing key is generated.'
echo "nix-ssh: the host key, for known_hosts: $publicKey"

server=(-f /lib/nix-ssh/sshd_config -h "$hostKey" -p "$port")
sshd=$(type -P sshd)
# Many clients come from one address (a cluster, a network behind NAT), and one that fails must not lock the others out, as
# OpenSSH 9.8 and newer would. Older ones do not know the option.
for option in PerSourcePenalties=no; do
  if "$sshd" -t "${server[@]}" -o "$option" 2>/dev/null; then server+=(-o "$option"); fi
done

# Sessions of sshd start without the container's variables.
unset AUTHORIZED_KEYS
export -p >"$run/environment"
echo "$$" >"$run/pid"
umask 022
exec "$sshd" -D -e "${server[@]}"
