#!/usr/bin/env bash
# Runs simulate.py, a queue simulated by a library of others' making (ciw), with its arguments. ../python.sh
# fetches it. A test holds our desk against what it prints:
# crates/domain/tests/theory.
#
#   run.sh LINES SERVERS SERVICE SEED CUSTOMERS     see simulate.py
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[[ $# -ge 1 ]] || { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
program=$("$here/../python.sh" ciw ciw==3.2.7 numpy==2.2.6 networkx==3.4.2)
exec "$program/bin/python" "$here/simulate.py" "$@"
