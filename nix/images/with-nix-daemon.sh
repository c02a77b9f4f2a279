#!/bin/bash
# Runs nix-daemon: alone, or beside the command that was given, whose end is then the container's.
set -eu
if [ "$#" -eq 0 ]; then exec nix-daemon; fi
nix-daemon &
socket=/nix/var/nix/daemon-socket/socket
until [ -S "$socket" ]; do
  kill -0 "$!" 2>/dev/null || { echo "with-nix-daemon: nix-daemon ended at once; is the container root?" >&2; exit 1; }
  sleep 0.1
done
exec "$@"
