# Takes host name and SSH key from EC2's metadata service, by version 2 alone: without a token nothing is asked.
# Arguments: the folder for keys, the account that they open, and where the host name is written (nothing: not at all).
keys=$1 user=$2 name_file=${3-}

# IPv4 first; instances in IPv6-only subnets have the other. As in "Instance metadata service" of the EC2 user guide.
endpoints=${EC2_METADATA_ENDPOINTS-"http://169.254.169.254 http://[fd00:ec2::254]"}
tries=${EC2_METADATA_TRIES-30}

ask() {
  curl --silent --show-error --fail --globoff --noproxy '*' --connect-timeout 2 --max-time 10 "$@"
}

token='' endpoint='' try=0
while test -z "$token"; do
  for endpoint in $endpoints; do
    token=$(ask -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$endpoint/latest/api/token") && break
    token=''
  done
  try=$((try + 1))
  if test -z "$token" && test "$try" -ge "$tries"; then
    echo "no token from the metadata service after $try tries: is it switched off for this instance (HttpEndpoint)?" >&2
    exit 1
  fi
  test -n "$token" || sleep 1
done

# The header is no argument: other users see those.
get() {
  printf 'header = "X-aws-ec2-metadata-token: %s"\n' "$token" | ask --config - --retry 3 "$endpoint/latest/meta-data/$1"
}

if test -n "$name_file"; then
  name=$(get hostname) || exit 1
  # The first word of several, where the VPC has several domains.
  name=${name%%[[:space:]]*}
  case $name in
    '' | *[!A-Za-z0-9.-]*) echo "the metadata service gives no valid host name" >&2 ;;
    *) printf '%s' "$name" > "$name_file" ;;
  esac
fi

# Instances may have no key; then there is no such path, and sshd takes what the system itself declares.
mkdir -p "$keys"
if key=$(get public-keys/0/openssh-key); then
  umask 022
  printf '%s\n' "$key" > "$keys/.$user"
  mv "$keys/.$user" "$keys/$user"
else
  rm -f "$keys/$user"
  echo "this instance has no key pair" >&2
fi
