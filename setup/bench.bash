# `run bench ik`: strangers' arms and, for --peers, strangers' solvers, from PyPI, in an environment of their own.
# shellcheck shell=bash

# bench_ik PEERS FLAG…: PEERS is empty or `yes`.
bench_ik() {
    local peers=$1 folder=$root/benches/ik/peers arms=() flags=("${@:2}")
    # Steps, their logs and the lock are kept beside the environment.
    local state=$target/bench-ik
    if (prepare_arms) then
        read_arms
    else
        say "the strangers' arms cannot be had: only the shipped ones are measured"
    fi
    if [[ -z $peers ]]; then
        exec cargo bench --no-default-features --bench ik -- "${arms[@]}" "${flags[@]}"
    fi
    ((${#arms[@]})) || fail "without the packages of PyPI there is nobody to compare with"
    local report=$state/report.json
    take_report_flag
    [[ " ${flags[*]-} " == *" --targets"* ]] || flags+=(--targets 2000)
    for peer in numpy pytracik optik-py roboticstoolbox-python; do
        (prepare_packages "$peer") || say "$peer cannot be had for this Python and machine"
    done
    cargo bench --no-default-features --bench ik -- "${arms[@]}" "${flags[@]}" --json "$state/ours.json" --answers "$state/answers.json"
    bench_python "$folder/peers.py" "$state/answers.json" "$state/ours.json" "$report"
}

# Takes `--json FILE` out of `flags`, as the whole report is written last; sets `report`.
take_report_flag() {
    local index
    for index in "${!flags[@]}"; do
        [[ ${flags[index]} == --json ]] || continue
        report=${flags[index + 1]}
        unset "flags[index]" "flags[index + 1]"
        return
    done
}

prepare_arms() {
    take_lock
    prepare_packages arms
    step list "$(arms_key)" "reading the strangers' arms" list_arms
}

# prepare_packages NAME: installs what NAME.txt lists, once.
prepare_packages() {
    [[ $(uname -s)-$(uname -m) == Linux-x86_64 ]] || fail "the packages of the bench are for Linux on x86-64"
    step environment "$(environment_key)" "making a Python environment for the bench" make_bench_environment
    step "$1" "$(printf '%s\n' "$(environment_key)" "$(digest_of "benches/ik/peers/$1.txt")" | digest)" \
        "installing $1 for the bench from PyPI" install_for_bench "$1"
}

environment_key() { printf '%s\n' "$state" "$(installed_python_of_ros)" | digest; }

arms_key() { printf '%s\n' "$(environment_key)" "$(digest_of benches/ik/peers/arms.txt benches/ik/peers/arms.py)" | digest; }

installed_python_of_ros() { sed -n 's/^version *= *//p' "$venv/pyvenv.cfg"; }

make_bench_environment() {
    rm -rf "$state/venv" "$state/steps"
    mkdir -p "$state/steps"
    "$venv/bin/python" -m venv "$state/venv"
}

install_for_bench() {
    bench_python -m pip --disable-pip-version-check --no-input install --no-deps -r "$folder/$1.txt"
}

list_arms() { bench_python "$folder/arms.py" "$state/arms" >"$state/arms.tsv"; }

# Fills `arms` with what the bench is told: the shipped ones, then the strangers'.
read_arms() {
    local name file base tip
    arms=(--arm our_so101 "$root/urdf/so101.urdf" base_link tool0 --arm wx250s "$root/urdf/wx250s.urdf" base_link tool0)
    while IFS=$'\t' read -r name file base tip; do
        arms+=(--arm "$name" "$file" "$base" "$tip")
    done <"$state/arms.tsv"
}

# The environment's Python, which sees nothing of ROS.
bench_python() { env -u PYTHONPATH -u LD_LIBRARY_PATH PYTHONDONTWRITEBYTECODE=1 "$state/venv/bin/python" "$@"; }
