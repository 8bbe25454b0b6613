# What every part of `run` uses: messages, hashes, the lock, steps that are done once. Sets nothing up by itself.
# shellcheck shell=bash

# Where everything lives that set-up makes; `run` defines `root`.
state=$root/.ros2
venv=$state/venv
overlay=$state/overlay
activation=$state/activate.bash
target=${CARGO_TARGET_DIR:-$root/target}

say() { printf 'servo_arm: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# Ends with the exit status of a misused command line.
misused() {
    say "$*"
    usage >&2
    exit 2
}

has() { command -v "$1" >/dev/null 2>&1; }

# Sixteen hex digits of what comes in on stdin.
digest() { sha256sum | cut -c1-16; }

# Sixteen hex digits of the names and contents of files and folders below the root.
digest_of() {
    (cd "$root" && find "$@" -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) | digest
}

# Holds the set-up lock until this shell ends. The file may be deleted by `clean` while another run waits for it.
take_lock() {
    has flock || fail "flock is missing: install the package util-linux"
    local descriptor told=
    while :; do
        mkdir -p "$state"
        exec {descriptor}>>"$state/lock" || fail "cannot write to $state"
        if ! flock --nonblock "$descriptor"; then
            [[ -n $told ]] || say "waiting for another run that is setting up"
            told=yes
            flock "$descriptor"
        fi
        [[ $state/lock -ef /proc/self/fd/$descriptor ]] && return
        exec {descriptor}>&-
    done
}

# step NAME KEY TITLE COMMAND…: runs the command unless it was completed with the same key before.
# Its output goes to a log that is shown when it fails.
step() {
    local name=$1 key=$2 title=$3 log=$state/log/$1.txt started=$SECONDS
    shift 3
    mkdir -p "$state/log" "$state/steps"
    step_is_done "$name" "$key" && return
    rm -f "$state/steps/$name"
    say "$title"
    start_ticker "$log"
    if ! "$@" >"$log" 2>&1; then
        stop_ticker
        tail -n 30 "$log" >&2
        fail "that did not work; the whole output is in ${log#"$root"/}"
    fi
    stop_ticker
    say "  done in $((SECONDS - started)) s"
    printf '%s\n' "$key" >"$state/steps/$name"
}

step_is_done() { [[ -f $state/steps/$1 && $(<"$state/steps/$1") == "$2" ]]; }

ticker=

# On a terminal, shows the newest line of the log while a step runs.
start_ticker() {
    [[ -t 2 ]] || return 0
    : >"$1"
    (
        trap - EXIT
        while kill -0 $$ 2>/dev/null; do
            printf '\r\033[K  %.100s' "$(tail -n 1 "$1" | tr -d '\r\033')" >&2
            sleep 0.5
        done
    ) &
    ticker=$!
}

stop_ticker() {
    [[ -n $ticker ]] || return 0
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    printf '\r\033[K' >&2
    ticker=
}
