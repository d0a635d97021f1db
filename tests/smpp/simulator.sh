#!/usr/bin/env bash
# A second message centre that others wrote: the simulator of Maven's jsmpp-examples. Fetched into target/smpp the first time.
# It greets whoever binds with a message, answers each message with an id in hexadecimal, and sends its receipt a second later
# with the id in decimal.
#
#   simulator.sh                            fetches it, and prints the folder of its jars
#   simulator.sh run PORT SYSTEM_ID PASSWORD   runs it until standard input ends
#
# Needs Java 8 or later, and Maven.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=3.0.1
cache=$(realpath -m "${CARGO_TARGET_DIR:-$here/../../target}/smpp")
jars=$cache/jsmpp-$version

fail() {
  echo "simulator.sh: $*" >&2
  exit 1
}

fetch() {
  [[ -e $jars/complete ]] && return
  command -v java >/dev/null || fail "there is no Java"
  command -v mvn >/dev/null || fail "there is no Maven (mvn), which fetches jsmpp's jars"
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  [[ -e $jars/complete ]] && return
  rm -rf "$jars"
  mkdir -p "$jars"
  cat >"$jars/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tributary</groupId>
  <artifactId>simulator</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.jsmpp</groupId>
      <artifactId>jsmpp-examples</artifactId>
      <version>$version</version>
    </dependency>
  </dependencies>
</project>
POM
  if ! mvn --batch-mode --quiet --file "$jars/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$jars" >&2; then
    rm -rf "$jars"
    fail "Maven could not fetch jsmpp $version"
  fi
  touch "$jars/complete"
}

fetch
case ${1:-} in
  '') echo "$jars" ;;
  run)
    [[ $# == 4 ]] || fail "run needs PORT SYSTEM_ID PASSWORD"
    java -Djsmpp.simulator.port="$2" -Djsmpp.client.systemId="$3" -Djsmpp.client.password="$4" \
      -cp "$jars/*" org.jsmpp.examples.SMPPServerSimulator </dev/null &
    child=$!
    trap 'kill "$child" 2>/dev/null || true' EXIT
    # It ends by itself where the port is taken.
    (while kill -0 "$child" 2>/dev/null; do sleep 1; done; kill "$$" 2>/dev/null) &
    cat >/dev/null
    ;;
  *) fail "there is no $1" ;;
esac
