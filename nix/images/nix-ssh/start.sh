# What a container of nix-ssh runs first, by a static shell outside /nix: the volume mounted there may hold anything, so nothing
# of the store is used before it has been looked at. Built-in commands only.
set -eu
tini=@tini@

refuse() {
  echo "nix-ssh: $1" >&2
  echo "nix-ssh: $2" >&2
  exit 1
}

fill='Fill it from the image once: podman run --rm -v VOLUME:/mnt/nix IMAGE fill (README, "The store'"'"'s volume").'
if [ ! -d /nix/store ] || [ ! -f /nix/var/nix/db/db.sqlite ]; then
  for entry in /nix/*; do
    case $entry in
      '/nix/*' | /nix/lost+found) ;;
      *) refuse "the volume at /nix holds ${entry#/nix/}, but no Nix store and its database (store, var/nix/db/db.sqlite)." \
        'Mount another volume at /nix, or one level of this one higher or lower (subPath).' ;;
    esac
  done
  refuse 'the volume at /nix is empty.' "$fill"
fi
read -r schema </nix/var/nix/db/schema || [ -n "${schema:-}" ] || schema=unknown
[ "$schema" = 10 ] || refuse "the database in the volume at /nix has schema $schema, expected 10." 'Mount another volume at /nix.'
[ -O /nix/store ] || refuse 'the store in the volume at /nix belongs to another user than the one that runs this container.' \
  'Run the container as root, and give the volume back to it: chown -R 0:0 VOLUME.'
[ -x "$tini" ] || refuse "the volume at /nix was filled by another version of this image (it lacks $tini)." "$fill It keeps what was built."

case ${1:-serve} in
  serve) exec "$tini" -- /lib/nix-ssh/serve ;;
  fill) exec "$tini" -- /lib/nix-ssh/fill "${2:-/mnt/nix}" ;;
  *) exec "$tini" -- "$@" ;;
esac
