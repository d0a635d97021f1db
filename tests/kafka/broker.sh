#!/usr/bin/env bash
# Real Apache Kafka brokers on loopback, without Docker, for tests, benches and trying things out. Needs Java 17 or later
# and, the first time, Maven, which fetches the jars into target/kafka.
#
#   broker.sh jars                  fetches the jars, if need be, and prints where they are
#   broker.sh up DIR [COUNT [PORT]] starts COUNT brokers (1) that keep everything in DIR, on PORT and the ports after it
#                                   (free ones); prints their addresses once all of them serve
#   broker.sh again DIR NUMBER      starts broker NUMBER (from 1) again, and waits until it serves
#   broker.sh signal DIR NUMBER SIG sends a signal to one broker: KILL, STOP, CONT, TERM
#   broker.sh addresses DIR         prints the addresses
#   broker.sh tool CLASS ARGS…      runs one of Kafka's own tools, such as org.apache.kafka.tools.TopicCommand
#   broker.sh down DIR [SIG]        ends all of them (TERM), by their process ids; DIR stays
#
# BROKER_OWNER=PID ends the brokers and removes DIR when that process is gone, however it went. BROKER_JAVA replaces the memory and
# compiler options. BROKER_SETTINGS adds lines to server.properties. KAFKA_VERSION names another release.
# BROKER_THROUGH=PORT is for clients that come through proxies: each broker listens there, too, on PORT and the ports
# after it, and tells who comes so to come back to the port COUNT further on.
# BROKER_LOGIN=PORT is for clients that speak TLS and say who they are, by SCRAM-SHA-512: each broker listens for them, too,
# on PORT and the ports after it. They are `tributary`, with the password BROKER_PASSWORD; DIR/brokers.pem vouches for the
# brokers.
set -euo pipefail

version=${KAFKA_VERSION:-4.3.1}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
jars=${CARGO_TARGET_DIR:-$here/../../target}/kafka/$version
patience=120

fail() {
  echo "broker.sh: $*" >&2
  exit 1
}

# shellcheck source=tests/ports.sh
. "$here/../ports.sh"

fetch() {
  [[ -e $jars/complete ]] && return
  command -v java >/dev/null || fail "there is no Java; version 17 or later is needed"
  command -v mvn >/dev/null || fail "there is no Maven (mvn), which fetches Kafka's jars"
  mkdir -p "$(dirname "$jars")"
  local work
  work=$(mktemp -d "$(dirname "$jars")/fetching-XXXXXX")
  # Of the tools, without Kafka Connect and its web server.
  cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tributary</groupId>
  <artifactId>brokers</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>$version</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-tools</artifactId>
      <version>$version</version>
      <exclusions>
        <exclusion><groupId>org.apache.kafka</groupId><artifactId>connect-api</artifactId></exclusion>
        <exclusion><groupId>org.apache.kafka</groupId><artifactId>connect-json</artifactId></exclusion>
        <exclusion><groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId></exclusion>
        <exclusion><groupId>org.apache.kafka</groupId><artifactId>connect-transforms</artifactId></exclusion>
      </exclusions>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>2.25.4</version>
    </dependency>
  </dependencies>
</project>
POM
  if ! mvn --batch-mode --quiet --file "$work/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$work/jars" >&2; then
    rm -rf "$work"
    fail "Maven could not fetch Kafka $version"
  fi
  touch "$work/jars/complete"
  # Another run may have been faster.
  mv -T "$work/jars" "$jars" 2>/dev/null || [[ -e $jars/complete ]] || fail "could not place the jars in $jars"
  rm -rf "$work"
}

# Is the process that broker folder $1 tells of alive, and ours?
alive() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) && [[ -n $pid ]] &&
    grep -qszxF "$1/server.properties" "/proc/$pid/cmdline"
}

# Writes what broker $1 of $2 in DIR is, with ports from $3 on: first those for clients, then those of the controllers.
lay_out() {
  local number=$1 count=$2 port=$3 home=$DIR/$1 voters='' i copies
  copies=$((count < 3 ? count : 3))
  for ((i = 1; i <= count; i++)); do
    voters+=${voters:+,}$i@127.0.0.1:$((port + count + i - 1))
  done
  mkdir -p "$home"
  {
    echo "node.id=$number"
    echo "process.roles=broker,controller"
    echo "controller.listener.names=CONTROLLER"
    echo "controller.quorum.voters=$voters"
    local listeners=PLAINTEXT://127.0.0.1:$((port + number - 1)) kinds=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT told
    told=$listeners
    if [[ -n ${BROKER_THROUGH:-} ]]; then
      local through=$((BROKER_THROUGH + number - 1))
      listeners+=,THROUGH://127.0.0.1:$through
      told+=,THROUGH://127.0.0.1:$((through + count))
      kinds+=,THROUGH:PLAINTEXT
    fi
    if [[ -n ${BROKER_LOGIN:-} ]]; then
      local login=LOGIN://127.0.0.1:$((BROKER_LOGIN + number - 1))
      listeners+=,$login
      told+=,$login
      kinds+=,LOGIN:SASL_SSL
      certify "$home"
      echo "listener.name.login.ssl.keystore.location=$home/broker.p12"
      echo "listener.name.login.ssl.keystore.type=PKCS12"
      echo "listener.name.login.ssl.keystore.password=brokers"
      echo "listener.name.login.sasl.enabled.mechanisms=SCRAM-SHA-512"
      echo "listener.name.login.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;"
    fi
    echo "listeners=$listeners,CONTROLLER://127.0.0.1:$((port + count + number - 1))"
    echo "advertised.listeners=$told"
    echo "listener.security.protocol.map=$kinds"
    echo "log.dirs=$home/data"
    echo "auto.create.topics.enable=false"
    # A broker that was killed is back as soon as the last it said is so old.
    echo "broker.session.timeout.ms=4000"
    echo "broker.heartbeat.interval.ms=500"
    echo "default.replication.factor=$copies"
    echo "min.insync.replicas=$((copies > 1 ? copies - 1 : 1))"
    echo "offsets.topic.num.partitions=4"
    echo "offsets.topic.replication.factor=$copies"
    echo "transaction.state.log.num.partitions=4"
    echo "transaction.state.log.replication.factor=$copies"
    echo "transaction.state.log.min.isr=$((copies > 1 ? copies - 1 : 1))"
    echo "group.initial.rebalance.delay.ms=0"
    echo "log.cleaner.dedupe.buffer.size=8388608"
    echo "${BROKER_SETTINGS:-}"
  } >"$home/server.properties"
  cat >"$home/log4j2.properties" <<LOG
rootLogger.level=INFO
rootLogger.appenderRef.file.ref=file
appender.file.name=file
appender.file.type=File
appender.file.fileName=$home/server.log
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d %p %c: %m%n
LOG
}

# A certificate of its own for the broker in folder $1.
certify() {
  local store=(-storetype PKCS12 -keystore "$1/broker.p12" -storepass brokers -alias broker)
  {
    keytool -genkeypair "${store[@]}" -keyalg EC -groupname secp256r1 -validity 30 -dname CN=broker -ext SAN=IP:127.0.0.1
    keytool -exportcert "${store[@]}" -rfc -file "$1/broker.pem"
  } >"$1/certify.log" 2>&1 || { cat "$1/certify.log" >&2; fail "could not make a certificate in $1"; }
  cat "$1/broker.pem" >>"$DIR/brokers.pem"
}

format() {
  local home=$DIR/$1 known=()
  [[ -z ${BROKER_LOGIN:-} ]] ||
    known=(--add-scram "SCRAM-SHA-512=[name=tributary,password=${BROKER_PASSWORD:?what is the password}]")
  java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dlog4j2.level=ERROR -cp "$jars/*" kafka.tools.StorageTool \
    format --cluster-id "$(cat "$DIR/cluster")" --config "$home/server.properties" "${known[@]}" >"$home/format.log" 2>&1 ||
    { cat "$home/format.log" >&2; fail "could not format broker $1"; }
}

launch() {
  local home=$DIR/$1
  alive "$home" && return
  : >"$home/server.log"
  # shellcheck disable=SC2086 # several options
  setsid java ${BROKER_JAVA:--Xms192m -Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC} -XX:+ExitOnOutOfMemoryError \
    -Djava.awt.headless=true "-Dlog4j2.configurationFile=$home/log4j2.properties" -cp "$jars/*" \
    kafka.Kafka "$home/server.properties" </dev/null >"$home/output.log" 2>&1 &
  echo $! >"$home/pid"
}

await() {
  local home=$DIR/$1 end=$((SECONDS + patience))
  until grep -qsF 'Kafka Server started' "$home/server.log"; do
    if ((SECONDS > end)) || { sleep 0.1 && ! alive "$home"; }; then
      tail -n 20 "$home/output.log" "$home/server.log" >&2 || true
      fail "broker $1 does not serve"
    fi
  done
}

homes() {
  local home
  for home in "$DIR"/[0-9]*; do
    [[ -d $home ]] && echo "$home"
  done
}

down() {
  local signal=${1:-TERM} home end=$((SECONDS + 30))
  while read -r home; do
    # One that was stopped must go on to hear that it shall end.
    alive "$home" && { kill "-$signal" "$(cat "$home/pid")"; kill -CONT "$(cat "$home/pid")"; } 2>/dev/null
  done < <(homes)
  while read -r home; do
    while alive "$home"; do
      ((SECONDS < end)) || kill -KILL "$(cat "$home/pid")" 2>/dev/null || true
      sleep 0.05
    done
    rm -f "$home/pid"
  done < <(homes)
}

# Ends the brokers of DIR when process $1 is gone.
guard() {
  (
    while [[ -d /proc/$1 && -d $DIR ]]; do sleep 0.5; done
    down KILL
    rm -rf "$DIR"
  ) </dev/null >/dev/null 2>&1 &
}

up() {
  local count=${1:-1} port=${2:-} i addresses='' formatting=()
  ((count >= 1 && count <= 9)) || fail "COUNT is from 1 to 9"
  fetch
  if [[ -s $DIR/addresses ]]; then
    count=$(homes | wc -l)
  else
    port=${port:-$(free_ports $((2 * count)))}
    head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | cut -c -22 >"$DIR/cluster"
    for ((i = 1; i <= count; i++)); do
      lay_out "$i" "$count" "$port"
      format "$i" &
      formatting+=($!)
      addresses+=${addresses:+,}127.0.0.1:$((port + i - 1))
    done
    for i in "${formatting[@]}"; do wait "$i"; done
    echo "$addresses" >"$DIR/addresses"
  fi
  for ((i = 1; i <= count; i++)); do launch "$i"; done
  [[ -z ${BROKER_OWNER:-} ]] || guard "$BROKER_OWNER"
  for ((i = 1; i <= count; i++)); do await "$i"; done
  cat "$DIR/addresses"
}

command=${1:-}
case $command in
  up) mkdir -p "${2:?which folder}" ;;
  again | signal | addresses | down) [[ -d ${2:?which folder} ]] || fail "there is no folder $2" ;;
  jars) fetch && echo "$jars" && exit ;;
  tool) fetch && exec java -XX:TieredStopAtLevel=1 -Dlog4j2.level=ERROR -cp "$jars/*" "${@:2}" ;;
  *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
esac
DIR=$(cd "$2" && pwd)
shift 2
case $command in
  up) up "$@" ;;
  again) launch "${1:?which broker}" && await "$1" ;;
  signal) alive "$DIR/${1:?which broker}" && kill "-${2:?which signal}" "$(cat "$DIR/$1/pid")" ;;
  addresses) cat "$DIR/addresses" ;;
  down) down "$@" ;;
esac
