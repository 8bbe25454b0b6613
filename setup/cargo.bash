# Runs cargo so that it needs the network only when something is really missing, and says little when it has nothing to do.
# shellcheck shell=bash

# cargo, from the checkout: its configuration is looked up from the current folder.
run_cargo() { (cd "$root" && cargo "$@"); }

# Keeps cargo off the network once all dependencies are here, which is looked up once for each Cargo.lock.
prefer_offline() {
    [[ -z ${CARGO_NET_OFFLINE-} ]] || return 0
    local fetched=$target/.fetched key
    key=$(printf '%s\n' "${CARGO_HOME:-$HOME/.cargo}" "$(digest_of Cargo.toml Cargo.lock)" | digest)
    if [[ ! -f $fetched || $(<"$fetched") != "$key" || ! -d ${CARGO_HOME:-$HOME/.cargo}/registry/src ]]; then
        run_cargo tree --offline --quiet --prefix none >/dev/null 2>&1 || return 0
        mkdir -p "$target"
        printf '%s\n' "$key" >"$fetched"
    fi
    export CARGO_NET_OFFLINE=true
}

# Builds the executables; prints what is compiled, and nothing when all is up to date.
build_release() {
    run_cargo build --release 2>&1 >&2 | { grep --line-buffered -v '^ *Finished ' >&2 || true; }
    return "${PIPESTATUS[0]}"
}
