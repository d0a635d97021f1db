#!/usr/bin/env bash
# Programs in Python that others wrote, for tests: fetched by pip into target/NAME the first time, and printed where they are.
#
#   python.sh NAME REQUIREMENT…   an environment that holds these; the first requirement (`moto==1.2`) names it
#
# Needs Python 3.10 or later.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=${1:?which programs}
shift
cache=$(realpath -m "${CARGO_TARGET_DIR:-$here/../target}/$name")
program=$cache/${1:?what to fetch}

fail() {
  echo "python.sh: $*" >&2
  exit 1
}

if [[ ! -e $program/complete ]]; then
  command -v python3 >/dev/null || fail "there is no Python"
  mkdir -p "$cache"
  # What an environment holds names its place, so it is made where it stays; of two who do so at once, the second waits.
  # The lock ends with this script: whoever starts a server from here would hold it for as long as the server lives.
  exec 9>"$cache/lock"
  flock 9
  if [[ ! -e $program/complete ]]; then
    rm -rf "$program"
    if ! { python3 -m venv "$program" && "$program/bin/pip" install --quiet --disable-pip-version-check "$@"; } >&2; then
      rm -rf "$program"
      fail "pip could not fetch $*"
    fi
    touch "$program/complete"
  fi
fi
echo "$program"
