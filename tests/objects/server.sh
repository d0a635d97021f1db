#!/usr/bin/env bash
# A server that speaks S3, which others wrote (moto), on loopback, for tests and trying things out. ../python.sh
# fetches it.
#
#   server.sh program        fetches the program, if need be, and prints where it is
#   server.sh up DIR [PORT]  starts a server on PORT (a free one), which is known by DIR; prints its URL once it serves
#   server.sh signal DIR SIG sends it a signal: STOP, CONT, KILL, TERM
#   server.sh url DIR        prints the URL
#   server.sh down DIR [SIG] ends it (TERM), by its process id
#
# There is one bucket, `tributary`. Everything is in memory, and gone when it ends; who asks is not looked at.
# SERVER_OWNER=PID ends the server and removes DIR when that process is gone, however it went.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
patience=60

fail() {
  echo "server.sh: $*" >&2
  exit 1
}

fetch() {
  program=$("$here/../python.sh" objects "moto[s3]==5.2.5" flask==3.1.3 flask-cors==6.0.5)
}

# Is the process that DIR tells of alive, and ours?
alive() {
  local pid
  pid=$(cat "$DIR/pid" 2>/dev/null) && [[ -n $pid ]] && grep -qszxF "$program/bin/moto_server" "/proc/$pid/cmdline"
}

launch() {
  local end=$((SECONDS + patience))
  : >"$DIR/server.log"
  setsid "$program/bin/moto_server" --host 127.0.0.1 --port "$1" </dev/null >"$DIR/server.log" 2>&1 &
  echo $! >"$DIR/pid"
  until grep -qsF 'Running on' "$DIR/server.log"; do
    if ((SECONDS > end)) || { sleep 0.05 && ! alive; }; then
      cat "$DIR/server.log" >&2
      fail "the server does not serve"
    fi
  done
  grep -oE 'http://127.0.0.1:[0-9]+' "$DIR/server.log" | head -1 >"$DIR/url"
  "$program/bin/python" - "$(cat "$DIR/url")/tributary" <<'PYTHON' || fail "could not make the bucket"
import sys, urllib.request
urllib.request.urlopen(urllib.request.Request(sys.argv[1], method="PUT"), timeout=30).close()
PYTHON
}

down() {
  local signal=${1:-TERM} end=$((SECONDS + 10)) pid
  pid=$(cat "$DIR/pid" 2>/dev/null) || return 0
  # One that was stopped must go on to hear that it shall end.
  alive && { kill "-$signal" "$pid"; kill -CONT "$pid"; } 2>/dev/null
  while alive; do
    ((SECONDS < end)) || kill -KILL "$pid" 2>/dev/null || true
    sleep 0.05
  done
  rm -f "$DIR/pid"
}

# Ends the server of DIR when process $1 is gone.
guard() {
  (
    while [[ -d /proc/$1 && -d $DIR ]]; do sleep 0.5; done
    down KILL
    rm -rf "$DIR"
  ) </dev/null >/dev/null 2>&1 &
}

up() {
  launch "${1:-0}"
  [[ -z ${SERVER_OWNER:-} ]] || guard "$SERVER_OWNER"
  cat "$DIR/url"
}

command=${1:-}
case $command in
  up) mkdir -p "${2:?which folder}" ;;
  signal | url | down) [[ -d ${2:?which folder} ]] || fail "there is no folder $2" ;;
  program) fetch && echo "$program" && exit ;;
  *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
esac
fetch
DIR=$(cd "$2" && pwd)
shift 2
case $command in
  up) up "$@" ;;
  signal) alive && kill "-${1:?which signal}" "$(cat "$DIR/pid")" ;;
  url) cat "$DIR/url" ;;
  down) down "$@" ;;
esac
