#!/usr/bin/env bash
# A real PostgreSQL on loopback, without Docker and without a service of the system's, for tests and trying things out.
# The first time it needs Maven and xz: the programs come as one jar, into target/postgres.
#
#   server.sh programs       fetches the programs, if need be, and prints where they are
#   server.sh up DIR [PORT]  starts a server that keeps everything in DIR, on PORT (a free one); prints its URL once it serves
#   server.sh again DIR      starts it again, and waits until it serves
#   server.sh signal DIR SIG sends a signal to the server's first process: KILL, STOP, CONT, TERM
#   server.sh url DIR        prints the URL: a superuser with a password, over TCP
#   server.sh down DIR [SIG] ends it (INT: at once, in order), by its process id; DIR stays
#
# SERVER_OWNER=PID ends the server and removes DIR when that process is gone, however it went. SERVER_SETTINGS adds lines
# to postgresql.conf. SERVER_TLS=1 makes it demand TLS, with a certificate for `localhost` that DIR/server.crt vouches for
# (openssl is needed). POSTGRES_PROGRAMS names a folder with bin/postgres and bin/initdb to be taken instead.
#
# PostgreSQL refuses to run as root. Where this script does, the server runs as `nobody`.
set -euo pipefail

version=${POSTGRES_VERSION:-17.6.0}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$(realpath -m "${CARGO_TARGET_DIR:-$here/../../target}/postgres")
programs=${POSTGRES_PROGRAMS:-$cache/$version}
password=tributary
patience=60

fail() {
  echo "server.sh: $*" >&2
  exit 1
}

# shellcheck source=tests/ports.sh
. "$here/../ports.sh"

artifact() {
  local machine
  case $(uname -m) in
    x86_64) machine=amd64 ;;
    aarch64) machine=arm64v8 ;;
    *) fail "there is no PostgreSQL to fetch for $(uname -m); name one by POSTGRES_PROGRAMS" ;;
  esac
  echo "io.zonky.test.postgres:embedded-postgres-binaries-linux-$machine:$version"
}

fetch() {
  if [[ -n ${POSTGRES_PROGRAMS:-} ]]; then
    [[ -x $programs/bin/postgres && -x $programs/bin/initdb ]] || fail "there is no bin/postgres and bin/initdb in $programs"
    return
  fi
  [[ -e $programs/complete && -x $programs/bin/postgres ]] && return
  command -v mvn >/dev/null || fail "there is no Maven (mvn), which fetches PostgreSQL"
  command -v xz >/dev/null || fail "there is no xz, which unpacks PostgreSQL"
  mkdir -p "$cache"
  local work
  work=$(mktemp -d "$cache/fetching-XXXXXX")
  # It keeps its notes of what it unpacked below the folder it runs in.
  if ! (cd "$work" && mvn --batch-mode --quiet dependency:unpack "-Dartifact=$(artifact)" -DoutputDirectory=jar) >&2; then
    rm -rf "$work"
    fail "Maven could not fetch PostgreSQL $version"
  fi
  mkdir "$work/programs"
  # Dated today, so that whoever tidies up target/ by age leaves them alone.
  tar -xJmf "$work"/jar/*.txz -C "$work/programs"
  touch "$work/programs/complete"
  chmod 755 "$work/programs"
  # Another run may have been faster; what is there in part is of no use.
  [[ -x $programs/bin/postgres ]] || rm -rf "$programs"
  mv -T "$work/programs" "$programs" 2>/dev/null || [[ -e $programs/complete ]] || fail "could not place PostgreSQL in $programs"
  rm -rf "$work"
}

# Runs a program as somebody it does not refuse, who may yet walk through folders that are root's alone.
run() {
  if ((EUID == 0)); then
    local may=+dac_override,+dac_read_search
    exec setpriv --reuid=65534 --regid=65534 --clear-groups "--inh-caps=$may" "--ambient-caps=$may" "$@"
  fi
  exec "$@"
}

# Is the process that DIR tells of alive, and ours?
alive() {
  local pid
  pid=$(cat "$DIR/pid" 2>/dev/null) && [[ -n $pid ]] && grep -qszxF "$DIR/data" "/proc/$pid/cmdline"
}

lay_out() {
  local port=$1 host=127.0.0.1 mode='?sslmode=disable'
  ((EUID == 0)) && chown 65534:65534 "$DIR"
  echo "$password" >"$DIR/password"
  (run "$programs/bin/initdb" --pgdata="$DIR/data" --username=tributary --pwfile="$DIR/password" --auth=scram-sha-256 \
    --encoding=UTF8 --locale=C --no-instructions --no-sync) >"$DIR/initdb.log" 2>&1 ||
    { cat "$DIR/initdb.log" >&2; fail "could not make a database"; }
  rm "$DIR/password"
  {
    echo "port = $port"
    echo "listen_addresses = '127.0.0.1'"
    echo "unix_socket_directories = ''"
    echo "shared_buffers = 32MB"
    echo "max_wal_size = 128MB"
    echo "min_wal_size = 32MB"
    echo "log_min_messages = log"
    if [[ -n ${SERVER_TLS:-} ]]; then
      echo "ssl = on"
      echo "ssl_cert_file = '$DIR/server.crt'"
      echo "ssl_key_file = '$DIR/server.key'"
    fi
    echo "${SERVER_SETTINGS:-}"
  } >>"$DIR/data/postgresql.conf"
  if [[ -n ${SERVER_TLS:-} ]]; then
    certificate
    host=localhost
    mode="?sslmode=require&sslrootcert=$DIR/server.crt"
    echo "hostssl all all 127.0.0.1/32 scram-sha-256" >"$DIR/data/pg_hba.conf"
  fi
  echo "postgres://tributary:$password@$host:$port/postgres$mode" >"$DIR/url"
}

certificate() {
  command -v openssl >/dev/null || fail "there is no openssl, which makes a certificate"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
    -keyout "$DIR/server.key" -out "$DIR/server.crt" >"$DIR/openssl.log" 2>&1 ||
    { cat "$DIR/openssl.log" >&2; fail "could not make a certificate"; }
  chmod 600 "$DIR/server.key"
  if ((EUID == 0)); then chown 65534:65534 "$DIR/server.key"; fi
}

launch() {
  alive && return
  # What a server that was killed leaves behind lasts a moment longer than itself.
  local end=$((SECONDS + patience))
  while true; do
    : >"$DIR/server.log"
    (run setsid "$programs/bin/postgres" -D "$DIR/data") </dev/null >>"$DIR/server.log" 2>&1 &
    echo $! >"$DIR/pid"
    until grep -qsF 'ready to accept connections' "$DIR/server.log"; do
      ((SECONDS < end)) || { cat "$DIR/server.log" >&2; fail "the server does not serve"; }
      sleep 0.05
      [[ -d /proc/$! ]] || break
    done
    alive && return
    grep -qsE 'shared memory block|lock file' "$DIR/server.log" || { cat "$DIR/server.log" >&2; fail "the server has ended"; }
  done
}

down() {
  local signal=${1:-INT} end=$((SECONDS + 30))
  # One that was stopped must go on to hear that it shall end.
  alive && { kill "-$signal" "$(cat "$DIR/pid")"; kill -CONT "$(cat "$DIR/pid")"; } 2>/dev/null
  while alive; do
    ((SECONDS < end)) || kill -KILL "$(cat "$DIR/pid")" 2>/dev/null || true
    sleep 0.05
  done
  rm -f "$DIR/pid"
}

# Ends the server of DIR when process $1 is gone.
guard() {
  (
    while [[ -d /proc/$1 && -d $DIR ]]; do sleep 0.5; done
    down QUIT || true
    rm -rf "$DIR"
  ) </dev/null >/dev/null 2>&1 &
}

command=${1:-}
case $command in
  up) mkdir -p "${2:?which folder}" ;;
  again | signal | url | down) [[ -d ${2:?which folder} ]] || fail "there is no folder $2" ;;
  programs) fetch && echo "$programs" && exit ;;
  *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
esac
DIR=$(cd "$2" && pwd)
shift 2
case $command in
  up)
    fetch
    [[ -s $DIR/url ]] || lay_out "${1:-$(free_ports)}"
    [[ -z ${SERVER_OWNER:-} ]] || guard "$SERVER_OWNER"
    launch
    cat "$DIR/url"
    ;;
  again) launch ;;
  signal) alive && kill "-${1:?which signal}" "$(cat "$DIR/pid")" ;;
  url) cat "$DIR/url" ;;
  down) down "$@" ;;
esac
