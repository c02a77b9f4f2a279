#!/bin/bash
# Runs nix-daemon: alone, or beside the command that was given, whose end is then the container's.
set -eu
socket=/nix/var/nix/daemon-socket/socket
if [ "$EUID" != 0 ]; then
  # Another container on the same volume may run the daemon.
  if [ "$#" -gt 0 ] && [ -S "$socket" ]; then exec "$@"; fi
  echo 'with-nix-daemon: nix-daemon needs root: start the container as root, and other users by podman exec --user' >&2
  exit 1
fi
if [ "$#" -eq 0 ]; then exec nix-daemon; fi
nix-daemon &
until [ -S "$socket" ]; do
  kill -0 "$!" 2>/dev/null || { echo "with-nix-daemon: nix-daemon ended at once" >&2; exit 1; }
  sleep 0.1
done
exec "$@"
