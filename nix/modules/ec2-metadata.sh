# Takes host name and SSH key from EC2's metadata service, by version 2 alone: nothing is asked without a token.
# Arguments: the folder for keys, the account that they open, and where the host name is written (nothing: not at all).
keys=$1 user=$2 name_file=${3-}

# IPv4 first; instances in subnets of IPv6 alone have the other. As in "Instance metadata service" of the EC2 user guide.
endpoints=${EC2_METADATA_ENDPOINTS-"http://169.254.169.254 http://[fd00:ec2::254]"}
tries=${EC2_METADATA_TRIES-60}
pause=${EC2_METADATA_PAUSE-1}

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

ask() {
  curl --silent --globoff --noproxy '*' --connect-timeout 2 --max-time 10 --output "$answer" --write-out '%{http_code}' "$@" || true
}

token='' endpoint=''
take_token() {
  for endpoint in $endpoints; do
    if test "$(ask -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$endpoint/latest/api/token")" = 200; then
      token=$(cat "$answer")
      return
    fi
  done
  token=''
}

# Puts what is at a path into the file of answers; 1 where there is nothing. Ends the program where nobody answers.
# Right after an instance has started, the service refuses tokens for some seconds that it has given itself: so a new one is taken.
get() {
  try=0 status=000
  while test "$try" -lt "$tries"; do
    test -n "$token" || take_token
    if test -n "$token"; then
      # A header in the arguments could be seen by other users.
      status=$(printf 'header = "X-aws-ec2-metadata-token: %s"\n' "$token" | ask --config - "$endpoint/latest/meta-data/$1")
      case $status in
        200) return 0 ;;
        404) return 1 ;;
        401) token='' ;;
      esac
    fi
    try=$((try + 1))
    sleep "$pause"
  done
  if test -z "$token" && test "$status" = 000; then
    echo "no token from the metadata service after $tries tries: is it switched off for this instance (HttpEndpoint)?" >&2
  else
    echo "the metadata service gives no $1 after $tries tries: status $status" >&2
  fi
  exit 1
}

if test -n "$name_file" && get hostname; then
  # The first word of several, where the VPC has several domains.
  name=$(head -n 1 "$answer")
  name=${name%%[[:space:]]*}
  case $name in
    '' | *[!A-Za-z0-9.-]*) echo "the metadata service gives no valid host name" >&2 ;;
    *) printf '%s' "$name" > "$name_file" ;;
  esac
fi

# Instances may have no key: then there is no such path, and sshd takes what the system itself declares.
mkdir -p "$keys"
if get public-keys/0/openssh-key; then
  umask 022
  cat "$answer" > "$keys/.$user"
  echo >> "$keys/.$user"
  mv "$keys/.$user" "$keys/$user"
else
  rm -f "$keys/$user"
  echo "this instance has no key pair" >&2
fi
