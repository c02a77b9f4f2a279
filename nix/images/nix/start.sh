# What a container runs first, by a static shell outside /nix: the volume mounted there may hold anything, so nothing
# of the store is used before it has been looked at. Built-in commands only.
set -eu
tini=@tini@
here=/lib/nix-images

say() {
  for line in "$@"; do echo "@title@: $line" >&2; done
}

refuse() {
  say "$@"
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

# The database shows who may use a store: the store itself is open to a group in all images.
other='the store at /nix belongs to another user than the one that runs this container.'
case @access@ in
  user) [ -w /nix/var/nix/db/db.sqlite ] || say 'this user cannot write to the store at /nix, and Nix cannot work.' \
    'Run the container as uid @uid@ or with group @gid@, such as --user 1234:@gid@, and give a volume to that group.' ;;
  root) [ -O /nix/store ] || [ -n "${NIX_REMOTE:-}" ] || say "$other" \
    'Nix needs root in this image (the variant "user" does not); a volume is given back to it by chown -R 0:0 VOLUME.' ;;
  server) [ -O /nix/store ] || refuse "$other" \
    'Run the container as root, and give the volume back to it: chown -R 0:0 VOLUME.' ;;
esac

while read -r path; do
  [ -e "$path" ] || refuse "the volume at /nix was filled by another version of this image (there is no $path)." \
    "$fill It keeps what was built."
done <"$here/roots"

# Under another init (podman --init), which reaps orphans, tini would warn that it does not. Its own flag for that (-s) is
# unknown to emulated kernels.
if [ "$$" != 1 ]; then export TINI_VERBOSITY=0; fi
case ${1:-} in
  fill)
    shift
    exec "$tini" -- "$here/run" "$here/fill" "$@"
    ;;
esac
# shellcheck disable=SC2086,SC2288 # words of the variant, none of them empty
exec "$tini" @signals@ -- "$here/run" @before@ "$@"
