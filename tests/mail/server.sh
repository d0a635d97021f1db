#!/usr/bin/env bash
# Real mail servers on loopback, without services of the system's, for tests and trying things out: Postfix, which hands
# mail on, and Dovecot, which keeps mailboxes (LMTP and IMAP with IDLE). Their programs, and swaks, which sends mail,
# come as Debian's packages into target/mail, and are not installed.
#
#   server.sh programs          fetches the programs, if need be, and prints where they are
#   server.sh up DIR [PORT]     starts both, which keep everything in DIR; prints where they serve as NAME=VALUE
#   server.sh again DIR NAME    starts one again (`postfix` or `dovecot`), and waits until it serves
#   server.sh set DIR LINE…     adds lines to Postfix's main.cf, and has it read them
#   server.sh queue DIR         prints what Postfix has not delivered yet, one id a line
#   server.sh flush DIR         has Postfix try everything again at once
#   server.sh signal DIR NAME SIG
#   server.sh where DIR         prints where they serve
#   server.sh down DIR [NAME]   ends one or both, by their process ids; DIR stays
#
# Postfix takes mail from this machine by SMTP. Mail for tributary.test goes by LMTP to PORT, for dovecot.test by LMTP to
# Dovecot, for unreachable.test to where nobody listens. Dovecot knows the users `support`, `anna` and `bert`, whose
# password is `secret`; DIR/dovecot/cert.pem vouches for it, as `localhost`.
#
# SERVER_OWNER=PID ends the servers and removes DIR when that process is gone, however it went. MAIL_PROGRAMS names a
# folder in which the packages lie unpacked already.
#
# Postfix must be started by root and wants accounts of its own. Debian's `news` and `uucp`, which every system has and
# hardly any uses, stand in for them.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$(realpath -m "${CARGO_TARGET_DIR:-$here/../../target}/mail")
programs=${MAIL_PROGRAMS:-$cache/programs}
packages=(postfix dovecot-core dovecot-imapd dovecot-lmtpd swaks)
patience=60

fail() {
  echo "server.sh: $*" >&2
  exit 1
}

# Runs a program among those packages as if they were installed: in a view of the file system of its own, in which they lie
# over /usr. Dovecot looks for its parts there and nowhere else.
inside() {
  # shellcheck disable=SC2016 # It is the inner shell that puts them in.
  local view='mount -t overlay overlay -o "ro,lowerdir=$0/usr:/usr" /usr && exec "$@"'
  exec unshare --mount sh -c "$view" "$programs" "$@"
}

# What these programs want and this system has not.
missing() {
  (inside ldd /usr/lib/postfix/sbin/{master,smtpd} /usr/sbin/dovecot /usr/lib/dovecot/{auth,imap,lmtp}) |
    awk '/not found/ { print $1 }' | sort -u
}

# Downloads packages into the folder it runs in: by the system's lists or, where these are empty or old, by fresh ones of
# our own.
download() {
  apt-get download -q "$@" >download.log 2>&1 && return
  mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
  local lists=(-o "Dir::State::Lists=$cache/apt/lists" -o "Dir::Cache=$cache/apt/cache")
  if ! { apt-get "${lists[@]}" update -q && apt-get "${lists[@]}" download -q "$@"; } >>download.log 2>&1; then
    cat download.log >&2
    fail "could not fetch $*"
  fi
}

unpack() {
  local package
  for package in *.deb; do dpkg-deb -x "$package" "$1"; done
  rm -f -- *.deb
}

fetch() {
  [[ -e $programs/complete ]] && return
  [[ -z ${MAIL_PROGRAMS:-} ]] || fail "there is nothing complete in $programs"
  if ! command -v apt-get dpkg-deb >/dev/null; then
    fail "there is no apt-get and dpkg-deb, which fetch Postfix and Dovecot"
  fi
  mkdir -p "$cache"
  # The lock ends with this script's end: none of the servers may hold it.
  exec 9>"$cache/lock"
  flock 9
  if [[ ! -e $programs/complete ]]; then
    rm -rf "$programs" "$cache/fetching"
    mkdir -p "$programs" "$cache/fetching"
    cd "$cache/fetching"
    download "${packages[@]}"
    unpack "$programs"
    if [[ -n $(missing) ]]; then
      local depends
      mapfile -t depends < <(apt-cache depends postfix dovecot-core | awk '/Depends: lib/ { print $2 }' | grep -vx libc6 | sort -u)
      download "${depends[@]}"
      unpack "$programs"
    fi
    cd "$here"
    rm -rf "$cache/fetching" "$cache/apt"
    [[ -z $(missing) ]] || fail "libraries are missing: $(missing)"
    touch "$programs/complete"
  fi
  exec 9>&-
}

free_port() {
  local port
  for _ in {1..50}; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  fail "found no free port"
}

lay_out() {
  local ours=$1 smtp imap imaps lmtp
  smtp=$(free_port) imap=$(free_port) imaps=$(free_port) lmtp=$(free_port)
  chmod 711 "$DIR"
  postfix_files "$smtp" "$ours" "$lmtp"
  dovecot_files "$imap" "$imaps" "$lmtp"
  cat >"$DIR/where" <<WHERE
smtp=127.0.0.1:$smtp
imap=127.0.0.1:$imap
imaps=localhost:$imaps
lmtp=127.0.0.1:$lmtp
swaks=$programs/usr/bin/swaks
WHERE
}

postfix_files() {
  local smtp=$1 ours=$2 dovecot=$3 postfix=$DIR/postfix
  mkdir -p "$postfix"/{etc,data,queue}
  cat >"$postfix/etc/main.cf" <<MAIN
compatibility_level = 3.6
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
meta_directory = $programs/etc/postfix
queue_directory = $postfix/queue
data_directory = $postfix/data
mail_owner = news
setgid_group = uucp
default_privs = nobody
import_environment = MAIL_CONFIG POSTLOG_SERVICE POSTLOG_HOSTNAME TZ=UTC
maillog_file = $postfix/log
maillog_file_prefixes = $postfix
maillog_file_permissions = 0644
myhostname = mx.postfix.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_host_lookup = native
disable_dns_lookups = yes
smtputf8_enable = yes
alias_maps =
local_recipient_maps =
relay_domains = tributary.test, dovecot.test, unreachable.test
transport_maps = inline:{ { tributary.test = lmtp:inet:127.0.0.1:$ours }, { dovecot.test = lmtp:inet:127.0.0.1:$dovecot }, { unreachable.test = smtp:[127.0.0.1]:1 } }
smtpd_relay_restrictions = permit_mynetworks, reject
message_size_limit = 60000000
# A server that comes back is tried again within seconds.
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
MAIN
  cat >"$postfix/etc/master.cf" <<MASTER
127.0.0.1:$smtp inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
MASTER
  local queue=$postfix/queue
  mkdir -p "$queue"/{active,bounce,corrupt,defer,deferred,flush,hold,incoming,maildrop,pid,private,public,saved,trace}
  chown news:news "$postfix/data" "$queue"/{active,bounce,corrupt,defer,deferred,flush,hold,incoming,private,saved,trace}
  chmod 700 "$postfix/data" "$queue"/{active,bounce,corrupt,defer,deferred,flush,hold,incoming,private,saved,trace}
  chown news:uucp "$queue"/{maildrop,public}
  chmod 730 "$queue/maildrop"
  chmod 710 "$queue/public"
}

dovecot_files() {
  local imap=$1 imaps=$2 lmtp=$3 dovecot=$DIR/dovecot user
  mkdir -p "$dovecot"/{run,state,mail}
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
    -keyout "$dovecot/key.pem" -out "$dovecot/cert.pem" 2>"$dovecot/openssl.log" ||
    { cat "$dovecot/openssl.log" >&2; fail "could not make a certificate"; }
  chmod 600 "$dovecot/key.pem"
  chown nobody "$dovecot/mail"
  for user in support anna bert; do
    echo "$user:{PLAIN}secret:65534:65534::$dovecot/mail/$user::"
  done >"$dovecot/users"
  cat >"$dovecot/dovecot.conf" <<CONF
base_dir = $dovecot/run
state_dir = $dovecot/state
log_path = $dovecot/log
protocols = imap lmtp
listen = 127.0.0.1
default_internal_user = news
default_internal_group = news
default_login_user = uucp
ssl = yes
ssl_cert = <$dovecot/cert.pem
ssl_key = <$dovecot/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:$dovecot/mail/%n
mail_max_userip_connections = 100
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%n $dovecot/users
}
userdb {
  driver = passwd-file
  args = username_format=%n $dovecot/users
}
service imap-login {
  chroot =
  inet_listener imap {
    port = $imap
  }
  inet_listener imaps {
    port = $imaps
    ssl = yes
  }
}
service anvil {
  chroot =
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = $lmtp
  }
}
CONF
}

# Is the process that DIR tells of alive, and ours?
alive() {
  local pid
  pid=$(cat "$DIR/$1/pid" 2>/dev/null) && [[ -n $pid ]] && grep -qszF "$DIR/$1" "/proc/$pid/cmdline"
}

launch() {
  alive "$1" && return
  local name=$1 end=$((SECONDS + patience)) program port
  case $name in
    postfix)
      program=(env "MAIL_CONFIG=$DIR/postfix/etc" POSTLOG_SERVICE=postlog POSTLOG_HOSTNAME=mx.postfix.test
        /usr/lib/postfix/sbin/master -c "$DIR/postfix/etc" -d)
      port=$(where smtp)
      ;;
    dovecot)
      program=(/usr/sbin/dovecot -F -c "$DIR/dovecot/dovecot.conf")
      port=$(where imap)
      ;;
    *) fail "there is no $name" ;;
  esac
  # What an earlier one's children hold, its lock or its port, may be free a moment later than itself.
  until serves "$port"; do
    if ! alive "$name"; then
      (inside setsid "${program[@]}") </dev/null >>"$DIR/$name/out" 2>&1 &
      echo $! >"$DIR/$name/pid"
    fi
    ((SECONDS < end)) || { cat "$DIR/$name/out" "$DIR/$name/log" >&2; fail "$name does not serve"; }
    sleep 0.2
  done
}

where() {
  sed -n "s/^$1=//p" "$DIR/where"
}

# Both greet before anything is said.
serves() {
  local greeting
  greeting=$(exec 2>/dev/null 3<>"/dev/tcp/${1%:*}/${1#*:}" && timeout 5 head -c 3 <&3) && [[ $greeting == 220 || $greeting == '* O' ]]
}

# The whole of it: children that are in the middle of something outlive their master.
down() {
  local name=$1 pid end=$((SECONDS + 10))
  pid=$(cat "$DIR/$name/pid" 2>/dev/null) || return 0
  alive "$name" && { kill "-${2:-TERM}" "$pid"; kill -CONT "$pid"; } 2>/dev/null
  while alive "$name"; do
    ((SECONDS < end)) || kill -KILL -- "-$pid" 2>/dev/null || true
    sleep 0.05
  done
  kill -KILL -- "-$pid" 2>/dev/null || true
  rm -f "$DIR/$name/pid"
}

# Ends the servers of DIR when process $1 is gone.
guard() {
  while [[ -d /proc/$1 && -d $DIR ]]; do sleep 0.5; done
  down postfix || true
  down dovecot || true
  rm -rf "$DIR"
}

# A program of Postfix's, about the server of DIR.
tool() {
  (inside env "MAIL_CONFIG=$DIR/postfix/etc" "/usr/sbin/$1" "${@:2}")
}

command=${1:-}
case $command in
  up) mkdir -p "${2:?which folder}" ;;
  again | set | queue | flush | signal | where | down | guard) [[ -d ${2:?which folder} ]] || fail "there is no folder $2" ;;
  programs) fetch && echo "$programs" && exit ;;
  *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
esac
DIR=$(cd "$2" && pwd)
shift 2
case $command in
  up)
    ((EUID == 0)) || fail "Postfix must be started by root"
    command -v openssl >/dev/null || fail "there is no openssl, which makes a certificate"
    unshare --mount true || fail "this place lets no program have a view of the file system of its own"
    fetch
    [[ -s $DIR/where ]] || lay_out "${1:-1}"
    # In a session of its own: whatever ends the owner with all its group must not end the guard.
    if [[ -n ${SERVER_OWNER:-} ]]; then
      setsid "${BASH_SOURCE[0]}" guard "$DIR" "$SERVER_OWNER" </dev/null >/dev/null 2>&1 &
    fi
    launch dovecot
    launch postfix
    cat "$DIR/where"
    ;;
  again) launch "${1:?which server}" ;;
  set)
    printf '%s\n' "$@" >>"$DIR/postfix/etc/main.cf"
    kill -HUP "$(cat "$DIR/postfix/pid")"
    ;;
  queue) tool postqueue -j | sed -n 's/.*"queue_id": "\([^"]*\)".*/\1/p' ;;
  flush) tool postqueue -f ;;
  signal) alive "${1:?which server}" && kill "-${2:?which signal}" "$(cat "$DIR/$1/pid")" ;;
  where) cat "$DIR/where" ;;
  guard) guard "${1:?whose}" ;;
  down) for name in ${1:-postfix dovecot}; do down "$name" "${2:-TERM}"; done ;;
esac
