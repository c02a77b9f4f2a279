#!/bin/bash
# Makes the container's user at home and the image's programs safe from garbage collection, then runs the command.
set -eu
tools=@coreutils@/bin

# In a store that was copied by hand, nothing says that the image's programs are needed.
roots=/nix/var/nix/gcroots/image
if [ -w /nix/var/nix ]; then
  while read -r path; do
    [ -L "$roots/${path##*/}" ] && continue
    "$tools/mkdir" -p "$roots" && "$tools/ln" -sfn "$path" "$roots/" || break
  done </lib/nix-images/roots
fi

name=
while IFS=: read -r account _ uid _; do
  if [ "$uid" = "$EUID" ]; then
    name=$account
    break
  fi
done </etc/passwd
export USER="${USER:-${name:-user-$EUID}}"

# Runtimes give a user without an account the home /. Nix wants the user's own, or that of the account.
home=${HOME:-/}
if [ -e "$home" ] && [ ! -O "$home" ] && ! { [ -n "$name" ] && [ -w "$home" ]; }; then
  own=/tmp/home-$EUID
  "$tools/mkdir" -m 0700 "$own" 2>/dev/null || true
  [ -O "$own" ] || own=$("$tools/mktemp" -d)
  export HOME=$own
fi

exec "$@"
