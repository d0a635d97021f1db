#!/usr/bin/env bash
# Runs simulate.py, a queue simulated by a library of others' making (ciw), with its arguments. Needs Python 3.10 or later;
# the first time, pip fetches the library into target/ciw. A test holds our desk against what it prints:
# crates/domain/tests/theory.
#
#   run.sh LINES SERVERS SERVICE SEED CUSTOMERS     see simulate.py
set -euo pipefail

version=3.2.7
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$(realpath -m "${CARGO_TARGET_DIR:-$here/../../target}/ciw")
program=$cache/ciw-$version

fail() {
  echo "run.sh: $*" >&2
  exit 1
}

fetch() {
  [[ -e $program/complete ]] && return
  command -v python3 >/dev/null || fail "there is no Python, which runs the simulation"
  mkdir -p "$cache"
  # What a venv holds names its place, so it is made where it stays; of two who do so at once, the second waits.
  exec 9>"$cache/lock"
  flock 9
  [[ -e $program/complete ]] && return
  rm -rf "$program"
  if ! { python3 -m venv "$program" && "$program/bin/pip" install --quiet --disable-pip-version-check \
    "ciw==$version" numpy==2.2.6 networkx==3.4.2; } >&2; then
    rm -rf "$program"
    fail "pip could not fetch ciw $version"
  fi
  touch "$program/complete"
  exec 9>&-
}

[[ $# -ge 1 ]] || { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
fetch
exec "$program/bin/python" "$here/simulate.py" "$@"
