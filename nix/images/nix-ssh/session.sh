#!/bin/bash
# What every login runs: the two commands by which Nix asks for builds and store paths, with the container's variables.
set -euo pipefail
# shellcheck source=/dev/null
. /run/nix-ssh/environment
# Newer versions of Nix quote each word; xargs takes the quotes off and expands nothing.
mapfile -t words < <(xargs -n 1 printf '%s\n' <<<"${SSH_ORIGINAL_COMMAND:-}")
case "${words[*]}" in
  'nix-daemon --stdio' | 'nix-store --serve --write' | 'nix-store --serve') exec "${words[@]}" ;;
esac
echo "nix-ssh: this host talks to Nix alone (ssh-ng://, ssh://); refused: ${SSH_ORIGINAL_COMMAND:-a shell}" >&2
exit 1
