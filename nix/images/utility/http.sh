#!/bin/bash
# httpie for recipes that nobody watches: what is piped in is sent, and input that never comes is not waited for.
# `@program@`, `@coreutils@` and the shell become store paths when the image is declared.

# Seconds within which the container's own input must begin: `podman run --interactive` connects in less than one, and a
# request that was not meant to have a body is delayed by no more than this.
patience=5

settings=/etc/httpie

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
refuse() {
  say "error: $*"
  exit 1
}

ignored='' has_data='' session='' positionals=()

# Short options without a value, which may stand together before one with a value: `-Fo FILE`.
flags='[jfxhmbvSdcqFI]*'

# Reads the arguments as httpie does, as far as it matters here.
read_arguments() {
  local word
  while [ $# -gt 0 ]; do
    word=$1
    shift
    if [[ $word =~ ^-${flags}I ]]; then ignored=1; fi
    if [[ $word =~ ^-${flags}[sopPaA]$ ]]; then word=--output; fi
    case $word in
      --ignore-stdin) ignored=1 ;;
      --session) session=${1-} ;;
      --session=*) session=${word#*=} ;;
      --raw | --raw=*) has_data=1 ;;
    esac
    case $word in
      --)
        positionals+=("$@")
        break
        ;;
      # The value of these is the next word.
      --raw | --session | --session-read-only | --boundary | --pretty | --style | --response-charset | --response-mime | \
        --format-options | --print | --history-print | --output | --auth | --auth-type | --proxy | --max-redirects | \
        --max-headers | --timeout | --verify | --ssl | --ciphers | --cert | --cert-key | --cert-key-pass | --default-scheme)
        [ $# -eq 0 ] || shift
        ;;
      -?*) ;;
      *) positionals+=("$word") ;;
    esac
  done
}
read_arguments "$@"

method='' items=("${positionals[@]:1}")
if [[ ${positionals[0]-} =~ ^[a-zA-Z]+$ ]] && [ ${#positionals[@]} -gt 1 ]; then
  method=${positionals[0]^^} items=("${positionals[@]:2}")
fi
for item in "${items[@]}"; do
  # name=value, name:=json and name@file are data; name:header and name==query are not.
  if [[ $item =~ ^[^:=@\;]*(:=|@|=([^=]|$)) ]]; then has_data=1; fi
done

# Of all certificate settings httpie obeys REQUESTS_CA_BUNDLE alone. Here SSL_CERT_FILE is enough for it, as for all others.
export REQUESTS_CA_BUNDLE="${REQUESTS_CA_BUNDLE:-${SSL_CERT_FILE-}}"

# httpie keeps named sessions beside its settings, so the image's settings go where a file can be written, if there is a place.
if [ -z "${HTTPIE_CONFIG_DIR-}" ]; then
  export HTTPIE_CONFIG_DIR="${XDG_CONFIG_HOME:-${HOME:-/tmp}/.config}/httpie"
  {
    @coreutils@/bin/mkdir -p "$HTTPIE_CONFIG_DIR"
    [ -e "$HTTPIE_CONFIG_DIR/config.json" ] || @coreutils@/bin/ln -s "$settings/config.json" "$HTTPIE_CONFIG_DIR/"
  } 2>/dev/null
  # Another http may have made the link meanwhile.
  [ -e "$HTTPIE_CONFIG_DIR/config.json" ] || HTTPIE_CONFIG_DIR=$settings
fi
if [ -n "$session" ]; then
  # A name is a file below that folder, a path is a file of its own.
  case $session in
    */*) folder=${session%/*}/ ;;
    *) folder=$HTTPIE_CONFIG_DIR/sessions ;;
  esac
  @coreutils@/bin/mkdir -p "$folder" 2>/dev/null && [ -w "$folder" ] ||
    refuse "the session '$session' cannot be written to $folder, so nothing was sent: mount a tmpfs at /tmp, or let HTTPIE_CONFIG_DIR name a writable folder"
fi

# The first process of the container, or what `podman exec` began with: it has no parent here.
first=$$
while :; do
  parent=0
  while read -r key value; do
    if [ "$key" = PPid: ]; then parent=$value && break; fi
  done <"/proc/$first/status"
  if [ "$parent" = 0 ]; then break; fi
  first=$parent
done

input=/proc/self/fd/0 its="/proc/$first/fd/0"
if [ -n "$ignored" ] || [ ! -e $input ] || [ -c $input ] || [ -d $input ]; then
  # A terminal, /dev/null or nothing.
  exec @program@ --ignore-stdin "$@" </dev/null
elif [ -x "/proc/$first/fd" ] && { [ ! -L "$its" ] || { [ -e "$its" ] && [ ! $input -ef "$its" ]; }; }; then
  # A pipe or file that a recipe made, however long it takes. Where the other cannot be looked at, it may be the same.
  exec @program@ "$@"
fi

# The container's own input. It may stay open for ever without a word, or be a list that the recipe is reading.
case $method in
  POST | PUT | PATCH) ;;
  *) has_data=1 ;;
esac
if [ -n "$has_data" ]; then exec @program@ --ignore-stdin "$@" </dev/null; fi
IFS= LC_ALL=C read -r -d '' -n 1 -t "$patience" byte
case $? in
  0)
    exec 3<&0
    # Nothing stands for a zero byte.
    exec @program@ "$@" < <(
      if [ -n "$byte" ]; then printf %s "$byte"; else printf '\0'; fi
      exec @coreutils@/bin/cat <&3
    ) 3<&-
    ;;
  1) exec @program@ --ignore-stdin "$@" </dev/null ;;
esac
remedy="write 'cat | ${0##*/} …' to wait for it, or '</dev/null' for none"
if [ "$method" != POST ]; then refuse "the container's input is open and nothing came within $patience s, so nothing was sent: $remedy"; fi
say "warning: the container's input is open and nothing came within $patience s, so the request has no body: $remedy"
exec @program@ --ignore-stdin "$@" </dev/null
