#!/bin/bash
# Puts the image's own store paths into a volume: an empty one, or one that an earlier version filled, whose paths stay.
set -euo pipefail
target=$1

refuse() {
  printf 'nix-ssh fill: %s\n' "$@" >&2
  exit 1
}

[ "${target##*/}" = nix ] || refuse "the folder is '$target', expected one whose last part is nix, such as /mnt/nix."
[ "$target" != /nix ] || refuse 'mount the volume somewhere else than at /nix, which is the image itself: -v VOLUME:/mnt/nix'
[ -d "$target" ] || refuse "no volume is mounted at $target."
if [ -e "$target/store" ] || [ -e "$target/var" ]; then
  [ -d "$target/store" ] && [ -f "$target/var/nix/db/schema" ] ||
    refuse "the volume holds no Nix store and its database (store, var/nix/db/schema)." 'Take an empty one.'
  schema=$(cat "$target/var/nix/db/schema")
  [ "$schema" = 10 ] || refuse "the volume's database has schema $schema, expected 10." 'Take an empty one.'
  owner=$(stat -c %u "$target/store")
  [ "$owner" = "$(id -u)" ] || refuse "the volume's store belongs to uid $owner, expected $(id -u)."
else
  for entry in "$target"/* "$target"/.[!.]*; do
    case ${entry##*/} in
      '*' | '.[!.]*' | lost+found) ;;
      *) refuse "the volume holds ${entry##*/}, but no Nix store." 'Take an empty one.' ;;
    esac
  done
fi

nix copy --all --no-check-sigs --to "${target%/nix}"
# What an earlier version kept may now be collected.
roots=$target/var/nix/gcroots/image
rm -rf "$roots"
cp -R -P /nix/var/nix/gcroots/image "$roots"
chmod 1775 "$target/store"
echo "nix-ssh fill: $target holds the image's store"
