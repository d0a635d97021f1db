#!/usr/bin/env bash
# How long the first build of `cargo run --release -- dev` takes: the sources as git has them (with what is not
# committed yet), an empty target folder, the registry cached. Ends with the crates that cost most.
#
# The folder is removed afterwards. TRIBUTARY_BENCH_DIR names another place for it, which needs about 2 GiB.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d "${TRIBUTARY_BENCH_DIR:-${TMPDIR:-/tmp}}/tributary-first-build-XXXXXX")
trap 'rm -rf "$folder"' EXIT
git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from=- | tar --extract -C "$folder"

memory=$(awk '$1 == "MemTotal:" { printf "%d", $2 / 1048576 }' /proc/meminfo)
filesystem=$(stat --file-system --format=%T "$folder")
echo "measured on $(nproc) cores, $memory GiB of memory, $filesystem, Linux $(uname -r), load $(cut -d' ' -f1 /proc/loadavg)"

cd "$folder"
export CARGO_TARGET_DIR=$folder/target CARGO_TERM_PROGRESS_WHEN=never
cargo fetch --locked --quiet
began=$(date +%s)
cargo build --release --locked --offline --timings --quiet
took=$(($(date +%s) - began))

echo "$(find target/release/deps -name '*.d' | wc -l) compilations in $took s; the ten that took longest, in seconds:"
sed -n '/^const UNIT_DATA = /,/^\]/p' target/cargo-timings/cargo-timing.html |
    awk -F'[:,]' '
        /"name":/ { gsub(/[ "]/, "", $2); name = $2 }
        /"target":/ { target = $2; gsub(/[ "]/, "", target) }
        /"duration":/ { printf "%6.1f  %s%s\n", $2, name, target }' |
    sort -rn | head -n 10

minutes=$(awk -v took="$took" 'BEGIN { printf "%.2f", took / 60 }')
verdict=$(awk -v minutes="$minutes" 'BEGIN { print minutes <= 6 ? "ok" : "short" }')
echo "figure build.first_minutes $minutes minutes reach 6 $verdict"
