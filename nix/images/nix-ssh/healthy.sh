#!/bin/bash
# Whether sshd answers, for the container's health check.
set -euo pipefail
exec 3<>"/dev/tcp/127.0.0.1/${SSH_PORT:-22}"
read -r -t 5 name <&3
[[ $name == SSH-2.0-* ]]
