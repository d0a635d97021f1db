# Shorthands. Each calls what one could type; none is needed to build, run or test.

export CARGO_TERM_PROGRESS_WHEN := "never"

_:
    @just --list --unsorted

# What must hold before a change is taken.
ci:
    .ci/run

# All tests; with a name, those whose names contain it.
test *NAME:
    cargo test {{NAME}}

# Formatting and lints, without tests.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Formats everything.
fmt:
    cargo fmt --all

# Kills and restarts the real binary N times under traffic, then counts; TRIBUTARY_SEED repeats a run's choices.
kill-soak N="200":
    TRIBUTARY_KILLS={{N}} cargo test -p tributary --test system -- --nocapture kill_9

# Two hundred agents on streams of their own, at random for that many seconds while customers write, then counted.
floor SECONDS="120":
    TRIBUTARY_FLOOR_SECONDS={{SECONDS}} cargo test -p tributary --test system -- --nocapture two_hundred

# Breaks everything in turn, N times, under a fleet on three brokers, and prints a table; see docs/operating-kafka.md.
faults N="5":
    REQUIRE_KAFKA=1 TRIBUTARY_CYCLES={{N}} cargo test -p tributary --features kafka --test faults -- --nocapture nothing_is_lost

# Runs the simulator on new seeds for that long; TRIBUTARY_SEED is the first of them. See docs/simulator.md.
soak MINUTES="10":
    TRIBUTARY_SOAK={{MINUTES}} cargo test --release -p tributary-runtime --test sim -- --nocapture soaks

# Runs every bench (release build), times a first build, and ends with the table that docs/performance.md keeps.
figures:
    #!/usr/bin/env bash
    set -euo pipefail
    out=target/figures.txt
    mkdir -p target
    { cargo bench --workspace --bench '*'; benches/first-build.sh; } | tee "$out"
    echo
    echo '| figure | measured | reach | |'
    echo '|---|---:|---:|---|'
    awk '$1 == "figure" && NF >= 7 { print "| `" $2 "` | " $3 " " $4 " | " $6 " | " $7 " |" }' "$out"

# Runs the benches of the log on Kafka, and of the router against a Kafka Streams application (Java 17 and Maven are
# needed; about half an hour), and ends with their table.
bench-kafka:
    #!/usr/bin/env bash
    set -euo pipefail
    out=target/bench-kafka.txt
    mkdir -p target
    cargo bench -p tributary-log-kafka | tee "$out"
    cargo bench -p tributary --features kafka --bench kafka | tee --append "$out"
    cargo bench -p tributary --features kafka --bench takeover | tee --append "$out"
    echo
    echo '| figure | measured | reach | |'
    echo '|---|---:|---:|---|'
    awk '$1 == "figure" && NF >= 7 { print "| `" $2 "` | " $3 " " $4 " | " $6 " | " $7 " |" }' "$out"

# Writes the generated protobuf anew, after a change under proto/.
proto:
    UPDATE_PROTO=1 cargo test -p tributary-wire --test freshness

# Writes docs/cli.md anew, after a change of the command line; then the API's documentation.
docs:
    UPDATE_DOCS=1 cargo test -p tributary --test cli
    cargo doc --workspace --no-deps
