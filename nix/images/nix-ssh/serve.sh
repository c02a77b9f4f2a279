#!/bin/bash
# Starts sshd with the keys that the container was given. Its sessions can do nothing but talk to Nix.
set -euo pipefail

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

run=/run/nix-ssh
mkdir -p "$run"
mounted=/etc/nix-ssh
# A copy, for sshd refuses keys that somebody else may write, as owners of mounts look.
{
  if [ -n "${AUTHORIZED_KEYS:-}" ]; then printf '%s\n' "$AUTHORIZED_KEYS"; fi
  if [ -f "$mounted/authorized_keys" ]; then cat "$mounted/authorized_keys"; fi
} >"$run/authorized_keys"
ssh-keygen -l -f "$run/authorized_keys" >/dev/null 2>&1 ||
  refuse "no public key that may log in: neither in the variable AUTHORIZED_KEYS nor in the file $mounted/authorized_keys." \
    'Give one, such as: podman run -e AUTHORIZED_KEYS="$(cat ~/.ssh/id_ed25519.pub)" …'

# Beside the store, so that a new container on the same volume is the same host to its clients.
own=/nix/var/nix-ssh
key=ssh_host_ed25519_key
if [ -f "$mounted/$key" ]; then
  install -m 0600 "$mounted/$key" "$run/$key"
  hostKey=$run/$key
else
  hostKey=$own/$key
  if [ ! -f "$hostKey" ]; then
    mkdir -p "$own"
    chmod 0700 "$own"
    ssh-keygen -q -t ed25519 -N '' -C nix-ssh -f "$own/new"
    mv "$own/new" "$hostKey"
    rm "$own/new.pub"
  fi
fi
publicKey=$(ssh-keygen -y -f "$hostKey") || refuse "$hostKey is no private key for ssh."
echo "nix-ssh: the host key, for known_hosts: $publicKey"

# Sessions of sshd start without the container's variables.
unset AUTHORIZED_KEYS
(umask 077 && export -p >"$run/environment")
exec "$(type -P sshd)" -D -e -f /lib/nix-ssh/sshd_config -h "$hostKey" -p "$port"
