#!/usr/bin/env bash
# Ports of this machine's that nobody listens on. Sourced by the scripts that start servers, which define `fail`.

taken() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# A first port such that $1 ports (one) from it on are free.
free_ports() {
  local count=${1:-1} first port
  for _ in {1..50}; do
    first=$((20000 + RANDOM % 12000))
    for ((port = first; port < first + count; port++)); do
      taken "$port" && continue 2
    done
    echo "$first"
    return
  done
  fail "found no $count free ports in a row"
}
