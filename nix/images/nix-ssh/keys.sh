#!/bin/bash
# Prints the public keys that may log in, for sshd, at each login. `keys check` reports invalid lines, and fails when there are
# no valid keys or when one of them is a private key.
set -euo pipefail
# sshd's own, which is that of the system that it was made for.
export PATH=/bin
run=/run/nix-ssh
sources=("$run/authorized_keys" /etc/nix-ssh/authorized_keys)
names=('the variable AUTHORIZED_KEYS' "${sources[1]}")

say() {
  printf 'nix-ssh: %s\n' "$@" >&2
}

# `ssh-keygen` reads a private key as well as a public one, so that is looked for first.
check() {
  local at number line good=0 private=0
  for at in 0 1; do
    [ -f "${sources[at]}" ] || continue
    number=0
    while IFS= read -r line || [ -n "$line" ]; do
      number=$((number + 1))
      line=${line%$'\r'}
      case $line in
        *'PRIVATE KEY'*)
          private=1
          say "${names[at]}, line $number: this is a private key, which belongs on the client alone." \
            'Give the public one (the file that ends in .pub), and make a new pair: this one has been seen.'
          break
          ;;
      esac
      [[ $line =~ ^[[:space:]]*(#|$) ]] && continue
      if ssh-keygen -l -f - <<<"$line" >/dev/null 2>&1; then
        good=$((good + 1))
      else
        say "${names[at]}, line $number: not a public key, ignored."
      fi
    done <"${sources[at]}"
  done
  [ "$private" = 0 ] || return 1
  [ "$good" -gt 0 ] || {
    say "no public key that may log in: neither in the variable AUTHORIZED_KEYS nor in the file ${sources[1]}."
    return 1
  }
}

contents() {
  local file
  for file in "${sources[@]}"; do
    [ -f "$file" ] || continue
    printf '%s\n' "$(tr -d '\r' <"$file")"
  done
}

text=$(contents)
sum=$(cksum <<<"$text")
if [ "${1:-}" = check ]; then
  check
  printf '%s\n' "$sum" >"$run/checked"
  exit
fi

printf '%s\n' "$text"
# Whoever changed the file sees only the container's log, and sshd keeps what this prints to itself.
[ "$(cat "$run/checked")" != "$sum" ] || exit 0
printf '%s\n' "$sum" >"$run/checked"
{
  say 'the keys that may log in have changed'
  check || say 'Nobody can log in, or a private key is public: see above.'
} 2>"/proc/$(cat "$run/pid")/fd/2"
