#!/usr/bin/env bash
# Fetches a reader of webhooks that others wrote (npm's whatsapp-api-js) into target/whatsapp the first time, and prints the
# folder whose node_modules hold it. reader.js runs it.
#
#   program.sh
#
# Needs Node 20 or later, and npm.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=6.3.0
cache=$(realpath -m "${CARGO_TARGET_DIR:-$here/../../target}/whatsapp")
program=$cache/whatsapp-api-js-$version

if [[ ! -e $program/complete ]]; then
  command -v npm >/dev/null || { echo "program.sh: there is no npm" >&2; exit 1; }
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  if [[ ! -e $program/complete ]]; then
    rm -rf "$program"
    mkdir -p "$program"
    if ! npm install --prefix "$program" --no-audit --no-fund --silent "whatsapp-api-js@$version" >&2; then
      rm -rf "$program"
      echo "program.sh: npm could not fetch whatsapp-api-js" >&2
      exit 1
    fi
    touch "$program/complete"
  fi
fi
echo "$program"
