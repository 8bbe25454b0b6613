# `run test`: every lint and test, all of them even after a failure, and at the end one line that counts them.
# shellcheck shell=bash

passed=0 failed=0 skipped=0
failures=()
skips=()
repetitions=()

test_everything() {
    local filter=$1
    local cargo_filter=()
    [[ -z $filter ]] || cargo_filter=("$filter")
    mkdir -p "$target/test-logs"
    if [[ -z $filter ]]; then
        check "format" run_cargo fmt --check
        check "clippy without ROS" run_cargo clippy --no-default-features --all-targets -- -D warnings
        check "clippy with ROS" run_cargo clippy --release --all-targets -- -D warnings
    fi
    cargo_tests "tests without ROS" test --no-default-features "${cargo_filter[@]}"
    must "build with ROS" run_cargo build --release
    cargo_tests "tests with ROS" test --release "${cargo_filter[@]}"
    python_tests "$filter"
    report
}

# A step that counts as one test.
check() {
    title "$1"
    if "${@:2}"; then passed=$((passed + 1)); else failure "$1"; fi
}

# A step that counts only when it fails.
must() {
    title "$1"
    "${@:2}" || failure "$1"
}

cargo_tests() {
    local name=$1 log=$target/test-logs/${1// /-}.txt status=0
    shift
    title "$name"
    run_cargo "$1" --no-fail-fast "${@:2}" 2>&1 | tee "$log" || status=$?
    count_cargo "$name" "$log" "$status"
}

# Reads what cargo's test harness prints: one result line for each test executable, one line for each ignored test.
count_cargo() {
    local name=$1 log=$2 status=$3 ok bad ignored line
    ok=$(sum_before passed "$log" '^test result:')
    bad=$(sum_before failed "$log" '^test result:')
    ignored=$(sum_before ignored "$log" '^test result:')
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + ignored))
    while read -r line; do failures+=("$name: $line"); done < <(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log")
    while read -r line; do skips+=("$name: $line"); done < <(sed -n 's/^test \(.* \.\.\. ignored.*\)$/\1/p' "$log")
    # It did not build, or a test executable died.
    if ((status != 0 && bad == 0)); then failure "$name (exit status $status)"; fi
}

python_tests() {
    local filter=$1 name="tests with Python" log=$target/test-logs/python.txt status=0 options=()
    title "$name"
    if [[ $filter == *::* ]]; then
        say "no Python test has '::' in its name"
        return
    fi
    [[ -z $filter ]] || options=(-k "$filter")
    # Other packages' plugins, of a sourced ROS for instance, are not ours to depend on.
    (cd "$root" && PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTHONDONTWRITEBYTECODE=1 \
        "$venv/bin/python" -m pytest -rsfE --color=no "${options[@]}" tests/ros) 2>&1 | tee "$log" || status=$?
    local ok bad left_out line
    ok=$(sum_before passed "$log" '^=.* in [0-9.]*s')
    bad=$(($(sum_before failed "$log" '^=.* in [0-9.]*s') + $(sum_before 'errors?' "$log" '^=.* in [0-9.]*s')))
    left_out=$(sum_before skipped "$log" '^=.* in [0-9.]*s')
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + left_out))
    while read -r line; do failures+=("$name: $line"); done < <(sed -nE 's/^(FAILED|ERROR) //p' "$log")
    while read -r line; do skips+=("$name: $line"); done < <(sed -n 's/^SKIPPED //p' "$log")
    while read -r line; do repetitions+=("$name: $line"); done < <(sed -n 's/^REPEATED //p' "$log")
    # With a filter it is no failure that nothing is left (5).
    if ((status != 0 && bad == 0)) && [[ -z $filter || $status != 5 ]]; then failure "$name (exit status $status)"; fi
}

# sum_before WORD FILE PATTERN: the sum of the numbers before a word in the lines that match.
sum_before() {
    { grep -E "$3" "$2" || true; } | { grep -oE "[0-9]+ $1\b" || true; } | awk '{ sum += $1 } END { print sum + 0 }'
}

failure() {
    failed=$((failed + 1))
    failures+=("$1")
}

title() { printf '\n== %s\n' "$1"; }

report() {
    local line
    printf '\n'
    if ((passed + failed == 0)); then failure "no test has this name"; fi
    for line in "${skips[@]}"; do printf 'skipped: %s\n' "$line"; done
    for line in "${repetitions[@]}"; do printf 'repeated: %s\n' "$line"; done
    for line in "${failures[@]}"; do printf 'FAILED: %s\n' "$line"; done
    printf '%d passed, %d failed, %d skipped' "$passed" "$failed" "$skipped"
    ((${#repetitions[@]} == 0)) || printf ', %d repeated' "${#repetitions[@]}"
    printf '\n'
    ((failed == 0))
}
