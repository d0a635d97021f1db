#!/usr/bin/env bash
# Programs in JavaScript that others wrote, for tests: fetched by npm into target/NAME the first time, and printed is the folder
# whose node_modules hold them.
#
#   npm.sh NAME PACKAGE@VERSION
#
# Needs Node 20 or later, and npm.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
package=${2:?what to fetch}
cache=$(realpath -m "${CARGO_TARGET_DIR:-$here/../target}/${1:?which programs}")
program=$cache/$package

if [[ ! -e $program/complete ]]; then
  command -v npm >/dev/null || { echo "npm.sh: there is no npm" >&2; exit 1; }
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  if [[ ! -e $program/complete ]]; then
    rm -rf "$program"
    mkdir -p "$program"
    if ! npm install --prefix "$program" --no-audit --no-fund --silent "$package" >&2; then
      rm -rf "$program"
      echo "npm.sh: npm could not fetch $package" >&2
      exit 1
    fi
    touch "$program/complete"
  fi
fi
echo "$program"
