#!/bin/bash
# Puts the image's own store paths into a volume: an empty one, or one that an earlier version filled, whose paths stay.
set -euo pipefail
target=${1:-/mnt/nix}

refuse() {
  printf '@title@ fill: %s\n' "$@" >&2
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
  [ "$owner" = "$EUID" ] || { [ @access@ = user ] && [ -w "$target/var/nix/db" ]; } ||
    refuse "the volume's store belongs to uid $owner, expected $EUID."
else
  for entry in "$target"/* "$target"/.[!.]*; do
    case ${entry##*/} in
      '*' | '.[!.]*' | lost+found) ;;
      *) refuse "the volume holds ${entry##*/}, but no Nix store." 'Take an empty one.' ;;
    esac
  done
fi
[ -w "$target" ] || refuse "uid $EUID cannot write to $target."

nix copy --all --no-check-sigs --to "${target%/nix}"
# What an earlier version kept may now be collected. Until the new roots are there the old ones are.
roots=$target/var/nix/gcroots/image
rm -rf "$roots-new"
mkdir "$roots-new"
while read -r path; do ln -s "$path" "$roots-new/"; done </lib/nix-images/roots
rm -rf "$roots"
mv "$roots-new" "$roots"
# Any user of the group may go on with it.
if [ @access@ = user ]; then find "$target/var" -user "$EUID" ! -type l -exec chmod g+rwX {} +; fi
if [ -O "$target/store" ]; then chmod 1775 "$target/store"; fi
echo "@title@ fill: $target holds the image's store"
