#!/usr/bin/env bash
# What no test can run is at least read by a linter: the Dockerfile, the YAML files, the systemd unit, and every shell
# script of this repository. Fails on any finding. The linters, pinned in linters.txt, are put into target/tools/lint,
# which takes Python 3.10 or newer and PyPI, once; systemd's own is used where there is one.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=target/tools/lint
failed=()

install() {
    if cmp --silent deploy/linters.txt "$tools/installed.txt"; then return; fi
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: -r deploy/linters.txt
    cp deploy/linters.txt "$tools/installed.txt"
}

# Runs a linter on these files, and goes on with the next whatever it finds.
with() {
    local name=$1
    shift
    if "$name" "$@"; then return; fi
    failed+=("$name")
}

# systemd asks that the program be there, and tells an unknown key without failing: a copy names a program that is, and
# every word counts. The security figure goes from 0, shut off from everything, to 100.
systemd() {
    local copy found
    if ! command -v systemd-analyze >/dev/null; then
        echo "SKIPPED: there is no systemd-analyze here, so nobody read tributary.service"
        return
    fi
    copy=$(mktemp -d)/tributary.service
    sed 's,^ExecStart=[^ ]*,ExecStart=/bin/sh,' deploy/tributary.service >"$copy"
    found=$(systemd-analyze verify --man=no "$copy" 2>&1 || :)
    rm -r "$(dirname "$copy")"
    if [[ -n $found ]]; then
        printf '%s\n' "$found"
        return 1
    fi
    systemd-analyze security --offline=true --threshold=15 --no-pager deploy/tributary.service | tail -n 1
}

install
PATH=$PWD/$tools/bin:$PATH
mapfile -t scripts < <(git grep --untracked --files-with-matches --extended-regexp '^#!/(usr/)?bin/(env )?(ba|da)?sh$')
with shellcheck --severity=style --external-sources "${scripts[@]}"
with hadolint deploy/Dockerfile
with yamllint --strict --config-file deploy/yamllint.yaml deploy
with check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
with systemd
if ((${#failed[@]})); then
    echo "deploy/lint.sh: findings by ${failed[*]}" >&2
    exit 1
fi
echo "deploy/lint.sh: no findings in ${#scripts[@]} shell scripts and what is in deploy/"
