#!/usr/bin/env bash
# Three brokers, one front and as many workers as you like on this machine, without Docker: to watch work spread, and to
# kill things.
#
#   deploy/cluster.sh up [WORKERS]          starts whatever is not running (2 workers), until all of it is ready
#   deploy/cluster.sh status                who runs, who leads how many partitions, what was decided
#   deploy/cluster.sh send [MESSAGES]       customers write (100 messages) and redeliver what was not taken
#   deploy/cluster.sh scale WORKERS         starts workers, or stops those with the highest numbers
#   deploy/cluster.sh kill worker|broker I  kill -9; `up` brings it back
#   deploy/cluster.sh ask COMMAND...        any command of the program, about this cluster: ask verify, ask lag
#   deploy/cluster.sh down [--forget]       stops everything in order; --forget removes the folder, too
#
# The front has the roles channels, projections and api; a worker has the role router. All of it listens on 127.0.0.1
# alone, and lies in one folder: target/cluster, or what TRIBUTARY_CLUSTER names. Ports are looked for from 21000, or from
# TRIBUTARY_PORT, at the first start. TRIBUTARY_BIN is a program to run instead of one built from these sources (release,
# with the feature `kafka`). Needs Java 17 or newer, Maven, curl.
set -euo pipefail
sources=$(cd "$(dirname "$0")/.." && pwd)
brokers=$sources/tests/kafka/broker.sh
folder=${TRIBUTARY_CLUSTER:-$sources/target/cluster}
# Longer than the twenty seconds that stopping in order may take.
farewell=30
patience=120

say() { printf '%s\n' "$*" >&2; }
die() {
    say "cluster.sh: $*"
    exit 1
}

# --- Where everything is ---

# From the first port on: the brokers and their controllers, the front's five, and the health of each worker.
front_port() { echo $((port + 10 + $1)); }
health_port() { if [[ $1 == front ]]; then front_port 0; else echo $((port + 200 + ${1#worker-})); fi; }

is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The ports are chosen once; a cluster that was down comes back where it was.
choose_ports() {
    local first at
    for ((first = ${TRIBUTARY_PORT:-21000}; first < 60000; first += 500)); do
        for at in 0 1 2 3 4 5 10 11 12 13 14 201 202 203 204; do
            if ! is_free $((first + at)); then continue 2; fi
        done
        echo "$first" >"$folder/port"
        return
    done
    die "found no free ports"
}

opened() {
    [[ -s $folder/port ]] || die "there is no cluster in $folder: begin with \`deploy/cluster.sh up\`"
    cd "$folder"
    folder=$PWD
    port=$(<port)
    # Every command of the program is about this cluster.
    export TRIBUTARY__LOG
    if [[ -s bootstrap ]]; then TRIBUTARY__LOG=kafka://$(<bootstrap); fi
}

workers() { find . -maxdepth 1 -name 'worker-*' -printf '%f\n' | sort --version-sort; }

# --- Processes: a folder each, with its data, its log and its process id ---

# The process of a folder, if it runs. Only one that was started with that folder is ours: ids are given again to others.
pid_of() {
    local pid
    pid=$(cat "$1/pid" 2>/dev/null) || return 1
    tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep --quiet --fixed-strings "$folder/$1/" || return 1
    echo "$pid"
}

start() {
    local name=$1 roles=$2
    if pid_of "$name" >/dev/null; then return; fi
    mkdir -p "$name/data" keys readmodel
    # Who may read what people wrote is known to all, and timelines are written by one process and read by another.
    ln -sfn "$folder/keys" "$name/data/keys"
    ln -sfn "$folder/readmodel" "$name/data/readmodel"
    setsid "$(program)" serve -c "$sources/deploy/cluster.toml" --roles "$roles" \
        --set "data=$folder/$name/data" --set "metrics.listen=127.0.0.1:$(health_port "$name")" \
        --set "http.listen=127.0.0.1:$(front_port 1)" --set "grpc.listen=127.0.0.1:$(front_port 2)" \
        --set "smtp.listen=127.0.0.1:$(front_port 3)" --set "lmtp.listen=127.0.0.1:$(front_port 4)" \
        >>"$name/log" 2>&1 </dev/null &
    echo $! >"$name/pid"
    say "started $name (process $!)"
}

program() {
    if [[ -n ${TRIBUTARY_BIN:-} ]]; then echo "$TRIBUTARY_BIN"; else echo "$sources/target/release/tributary"; fi
}

asked() { curl --silent --max-time 2 "http://127.0.0.1:$(health_port "$1")/$2"; }

until_ready() {
    local name=$1 end=$((SECONDS + patience))
    until curl --silent --fail --max-time 2 --output /dev/null "http://127.0.0.1:$(health_port "$name")/ready"; do
        pid_of "$name" >/dev/null || { tail --lines 20 "$name/log" >&2; die "$name has ended; see $folder/$name/log"; }
        ((SECONDS < end)) || { asked "$name" ready >&2; die "$name is not ready; see $folder/$name/log"; }
        sleep 0.2
    done
}

# Asks them all to stop, then waits for each.
stop() {
    local name pid end=$((SECONDS + farewell))
    for name; do
        if pid=$(pid_of "$name"); then kill -TERM "$pid"; fi
    done
    for name; do
        while pid=$(pid_of "$name"); do
            if ((SECONDS >= end)); then
                say "$name did not stop in time: killing it"
                kill -KILL "$pid"
            fi
            sleep 0.1
        done
        rm -f "$name/pid"
    done
}

# --- What can be asked for ---

up() {
    local count=${1:-} at name
    mkdir -p "$folder"
    [[ -s $folder/port ]] || choose_ports
    opened
    if [[ -z $count ]]; then count=$(workers | wc -l); fi
    if [[ $count == 0 ]]; then count=2; fi
    [[ $count =~ ^[1-9][0-9]?$ ]] || die "up takes a number of workers, from 1 to 99"
    if [[ -z ${TRIBUTARY_BIN:-} ]]; then
        say "building tributary"
        (cd "$sources" && cargo build --release --locked --package tributary --features kafka)
    fi
    "$sources/deploy/secrets.sh" secrets
    chmod 0400 secrets/*
    say "starting three brokers"
    "$brokers" up brokers 3 "$port" >bootstrap
    opened
    "$(program)" topics create -c "$sources/deploy/cluster.toml" | grep --invert-match 'there already' >&2
    start front channels,projections,api
    for ((at = 1; at <= count; at++)); do start "worker-$at" router; done
    for name in $(workers); do start "$name" router; done
    say "waiting until all of them are ready"
    for name in front $(workers); do until_ready "$name"; done
    "$(program)" apply --addr "http://127.0.0.1:$(front_port 2)" --token file:secrets/admin.token \
        "$sources/deploy/workspace.toml" >&2
    status
}

scale() {
    local count=${1:-} at name gone=()
    [[ $count =~ ^[1-9][0-9]?$ ]] || die "scale takes a number of workers, from 1 to 99"
    opened
    for name in $(workers); do
        if ((${name#worker-} > count)); then gone+=("$name"); fi
    done
    if ((${#gone[@]})); then
        stop "${gone[@]}"
        # What it had made of the log, and nothing else.
        rm -r "${gone[@]}"
    fi
    for ((at = 1; at <= count; at++)); do start "worker-$at" router; done
    for ((at = 1; at <= count; at++)); do until_ready "worker-$at"; done
    status
}

# The sum of a metric over its labels.
total() { awk -v name="$1" '$1 ~ "^" name "($|{)" { sum += $2 } END { printf "%d", sum }'; }

status() {
    local name pid metrics
    opened
    printf '%-10s %-9s %-9s %10s %10s\n' name process '' leads decisions
    for name in brokers/{1..3}; do
        printf '%-10s %-9s\n' "broker-${name#*/}" "$(pid_of "$name" || echo 'does not run')"
    done
    for name in front $(workers); do
        if pid=$(pid_of "$name"); then
            metrics=$(asked "$name" metrics || :)
            printf '%-10s %-9s %-9s %10s %10s\n' "$name" "$pid" "$(asked "$name" ready >/dev/null && echo ready)" \
                "$(total tributary_worker_leading <<<"$metrics")" \
                "$(total tributary_worker_decisions_total <<<"$metrics")"
        else
            printf '%-10s %-9s\n' "$name" 'does not run'
        fi
    done
}

send() {
    local count=${1:-100} token url at refused=0 run
    [[ $count =~ ^[1-9][0-9]*$ ]] || die "send takes a number of messages"
    opened
    token=$(<secrets/form.token)
    url=http://127.0.0.1:$(front_port 1)/webhooks/generic/form
    run=$(date +%s%N)
    for ((at = 1; at <= count; at++)); do
        until curl --silent --fail --max-time 5 --output /dev/null --header "Authorization: Bearer $token" \
            --json "{\"id\":\"$run-$at\",\"from\":\"customer-$((at % 50))\",\"text\":\"Message $at\"}" "$url"; do
            ((++refused <= 600)) || die "message $at was refused too often; see $folder/front/log"
            sleep 0.1
        done
    done
    say "$count messages were taken; $refused times one was not, and was sent again"
}

kill_one() {
    local what=${1:-} number=${2:-} pid
    [[ $number =~ ^[1-9][0-9]?$ ]] || die "kill takes worker or broker, and which: kill worker 1"
    opened
    case $what in
        worker)
            pid=$(pid_of "worker-$number") || die "worker $number does not run"
            kill -KILL "$pid"
            ;;
        broker) "$brokers" signal brokers "$number" KILL || die "broker $number does not run" ;;
        *) die "kill takes worker or broker, and which: kill worker 1" ;;
    esac
    say "killed $what $number"
}

# The front's data has the keys and the read model.
ask() {
    opened
    TRIBUTARY__DATA=$folder/front/data "$(program)" "$@" -c "$sources/deploy/cluster.toml"
}

down() {
    opened
    mapfile -t names < <(workers)
    # From left to right: the front takes nothing more, then the workers, then what they write to.
    stop front "${names[@]}"
    "$brokers" down brokers
    if [[ ${1:-} == --forget ]]; then
        cd "$sources"
        rm -rf "$folder"
    fi
}

case ${1:-} in
    up | scale | status | send | ask | down) "$@" ;;
    kill) kill_one "${@:2}" ;;
    *)
        sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"
        exit 2
        ;;
esac
