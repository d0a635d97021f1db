#!/usr/bin/env bash
# Fetches a message centre that others wrote (npm's smpp) into target/smpp the first time, and prints the folder whose
# node_modules hold it. smsc.js runs it.
#
#   program.sh
#
# Needs Node 18 or later, and npm.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=0.6.0-rc.4
cache=$(realpath -m "${CARGO_TARGET_DIR:-$here/../../target}/smpp")
program=$cache/smpp-$version

if [[ ! -e $program/complete ]]; then
  command -v npm >/dev/null || { echo "program.sh: there is no npm" >&2; exit 1; }
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  if [[ ! -e $program/complete ]]; then
    rm -rf "$program"
    mkdir -p "$program"
    if ! npm install --prefix "$program" --no-audit --no-fund --silent "smpp@$version" >&2; then
      rm -rf "$program"
      echo "program.sh: npm could not fetch smpp" >&2
      exit 1
    fi
    touch "$program/complete"
  fi
fi
echo "$program"
