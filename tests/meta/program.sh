#!/usr/bin/env bash
# Fetches a client of Messenger that others wrote (npm's messaging-api-messenger) into target/meta the first time, and prints
# the folder whose node_modules hold it. client.js runs it.
#
#   program.sh
#
# Needs Node 18 or later, and npm.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=1.1.0
cache=$(realpath -m "${CARGO_TARGET_DIR:-$here/../../target}/meta")
program=$cache/messaging-api-messenger-$version

if [[ ! -e $program/complete ]]; then
  command -v npm >/dev/null || { echo "program.sh: there is no npm" >&2; exit 1; }
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  if [[ ! -e $program/complete ]]; then
    rm -rf "$program"
    mkdir -p "$program"
    if ! npm install --prefix "$program" --no-audit --no-fund --silent "messaging-api-messenger@$version" >&2; then
      rm -rf "$program"
      echo "program.sh: npm could not fetch messaging-api-messenger" >&2
      exit 1
    fi
    touch "$program/complete"
  fi
fi
echo "$program"
