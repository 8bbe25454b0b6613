# Finds the ROS 2 that everything runs in, a sourced one or our own, and puts its environment into this shell.
# shellcheck shell=bash

# Distributions that r2r can be built against.
supported_distributions='foxy galactic humble iron jazzy lyrical rolling'

# Sets up whatever is missing, then exports the environment. Costs a few milliseconds when all is in place.
enter_ros() {
    forget_our_environment
    find_ros
    if ! is_complete; then
        (
            take_lock
            is_complete || build_everything
        ) || exit
    fi
    export_environment
}

# Takes out what an enclosing `run shell` has put in, so that the environment is the same at any depth.
forget_our_environment() {
    local name entry kept
    for name in AMENT_PREFIX_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH PYTHONPATH PATH; do
        [[ -v $name ]] || continue
        kept=
        local IFS=:
        for entry in ${!name}; do
            case $entry in
            "$state"/* | "$target/release") ;;
            *) kept+=${kept:+:}$entry ;;
            esac
        done
        export "$name=$kept"
        [[ -n $kept ]] || unset "$name"
    done
}

# Decides between a sourced ROS 2 and our own: sets `kind` and `distribution`.
find_ros() {
    local prefix
    if prefix=$(prefix_of rcl) && [[ -n ${ROS_DISTRO-} ]]; then
        [[ " $supported_distributions " == *" $ROS_DISTRO "* ]] ||
            fail "the sourced ROS 2 '$ROS_DISTRO' is not supported: source one of $supported_distributions," \
                "or unset AMENT_PREFIX_PATH to have a private one built"
        kind=sourced
        distribution=$ROS_DISTRO
        say "using the sourced ROS 2 $ROS_DISTRO in $prefix"
        return
    fi
    [[ $(uname -s)-$(uname -m) == Linux-x86_64 ]] ||
        fail "a private ROS 2 is only available for Linux on x86-64, and this is $(uname -s) on $(uname -m):" \
            "install ROS 2 (on Ubuntu 24.04: apt install ros-jazzy-ros-base), source /opt/ros/jazzy/setup.bash," \
            "and run this again"
    kind=private
    distribution=jazzy
    say "using the private ROS 2 jazzy in .ros2/"
}

# The first prefix of the sourced ROS that has this package.
prefix_of() {
    local prefix
    local IFS=:
    for prefix in ${AMENT_PREFIX_PATH-}; do
        if [[ -f $prefix/share/ament_index/resource_index/packages/$1 ]]; then
            printf '%s\n' "$prefix"
            return
        fi
    done
    return 1
}

is_complete() {
    [[ -f $activation && -f $state/stamp && -x $venv/bin/python && $(<"$state/stamp") == "$(stamp_now)" ]]
}

# Everything that set-up depends on. The checkout's place counts, as a virtual environment cannot be moved.
stamp_now() {
    {
        printf '%s\n' "$root" "$kind" "$distribution" "$(installed_python)"
        [[ $kind == private ]] || printf '%s\n' "${AMENT_PREFIX_PATH-}"
        digest_of setup interfaces
    } | digest
}

# Version of the Python in our environment, without starting it.
installed_python() { sed -n 's/^version *= *//p' "$venv/pyvenv.cfg" 2>/dev/null || true; }

export_environment() {
    # shellcheck source=/dev/null
    source "$activation"
    if [[ $kind == private && -n ${RMW_IMPLEMENTATION-} && $RMW_IMPLEMENTATION != rmw_fastrtps_cpp ]]; then
        say "ignoring RMW_IMPLEMENTATION=$RMW_IMPLEMENTATION: the private ROS 2 has rmw_fastrtps_cpp only"
        unset RMW_IMPLEMENTATION
    fi
}
