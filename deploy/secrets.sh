#!/usr/bin/env bash
# Makes the secrets that compose.yaml and cluster.toml name, random ones, where they are missing:
#
#   deploy/secrets.sh [FOLDER]      deploy/secrets unless said otherwise
#
# The folder is closed to everybody else on this machine. The files in it are not, because a container's user is another
# one than yours; it sees them and nothing else of the folder.
set -euo pipefail
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
chmod 0700 "$folder"
for name in master.key admin.token form.token; do
    if [[ -s $folder/$name ]]; then continue; fi
    head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$folder/$name.part"
    chmod 0444 "$folder/$name.part"
    mv "$folder/$name.part" "$folder/$name"
done
