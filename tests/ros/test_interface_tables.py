"""The tables of topics, services and actions name what the running nodes have, with its type, and nothing else."""

import contextlib
import re
from fnmatch import fnmatch

import pytest

from harness import ROOT

pytest.importorskip("rclpy", reason="rclpy is not importable")

DOCUMENTS = [path for path in (ROOT / "README.md", ROOT / "docs/interfaces.md") if path.exists()]
NODES = ["hardware_node", "controller_manager", "arm_controller", "gripper_controller", "ik_node"]
# What every node has, and the README says so in a sentence.
OF_EVERY_NODE = {
    "/rosout",
    "/parameter_events",
    "/clock",
    *(
        f"~/{service}"
        for service in (
            *("get_parameters", "get_parameter_types", "list_parameters", "describe_parameters"),
            *("set_parameters", "set_parameters_atomically", "get_type_description", "transition_event"),
            *("change_state", "get_state", "get_available_states", "get_available_transitions", "get_transition_graph"),
        )
    ),
}
# What the nodes only listen to, of others.
OF_OTHERS = {"/tf", "/tf_static", "/robot_description", "/robot_description_semantic"}
# There with another backend, or when it is asked for.
AT_TIMES = {"/gazebo/joint_states", "/gazebo/actuators", "/tf", "/tf_static", "/robot_description", "/clock"}
# `…` is any type of the package.
TYPE = re.compile(r"`(\w+/(?:[A-Z]\w+|…))`")


def rows() -> list[list[str]]:
    """The cells of every row of every table."""
    lines = [line for path in DOCUMENTS for line in path.read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]


def names(cell: str) -> list[str]:
    return [name for name in re.findall(r"`([^`]+)`", cell) if re.fullmatch(r"[~/\w]+", name)]


def full(name: str, node: str) -> str:
    return f"/{node}{name[1:]}" if name.startswith("~") else name if name.startswith("/") else f"/{name}"


def documented() -> set[tuple[str, str]]:
    """The names that a row has beside a type, with that; one type may be that of several names."""
    found = set()
    for first, second, *_ in rows():
        types = [kind.replace("…", "*") for kind in TYPE.findall(second)]
        # Live control is written as moveit_servo's documentation has it.
        full_names = [full(name, "ik_node") for name in names(first)]
        if len(types) == 1:
            found |= {(name, types[0]) for name in full_names}
        elif len(types) == len(full_names):
            found |= set(zip(full_names, types))
        # The manager's services have types of their names.
        for name in names(first):
            if re.fullmatch(r"(list|load|configure|cleanup|unload|switch|set|reload)_(\w*controller\w*|hardware_\w+)", name):
                kind = "".join(word.capitalize() for word in name.split("_"))
                found.add((f"/controller_manager/{name}", f"controller_manager_msgs/{kind}"))
    # Actions have a paragraph, which begins so.
    for name, kind in re.findall(r"^`([\w/]+)`, `(control_msgs/\w+)`", "\n".join(texts()), re.MULTILINE):
        found.add((f"/{name}", kind))
    return found


def texts() -> list[str]:
    return [path.read_text() for path in DOCUMENTS]


def short(type_: str) -> str:
    package, _, name = type_.split("/")
    return f"{package}/{name}"


def running(client) -> set[tuple[str, str]]:
    """Each topic, service and action that the nodes have, with its type."""
    graph = client.node
    found = set()
    for node in NODES:
        for of_node in (
            graph.get_publisher_names_and_types_by_node,
            graph.get_subscriber_names_and_types_by_node,
            graph.get_service_names_and_types_by_node,
        ):
            for name, (type_, *_) in of_node(node, "/"):
                base, is_action, _ = name.partition("/_action/")
                if is_action and name.endswith("/feedback"):
                    found.add((base, short(type_).removesuffix("_FeedbackMessage")))
                elif not is_action and name not in {full(each, node) for each in OF_EVERY_NODE}:
                    found.add((name, short(type_)))
    return found


def without(pairs: set, others: set) -> set:
    """The pairs of name and type that are not among the others; either may leave the type open."""

    def is_same(one: tuple, other: tuple) -> bool:
        return one[0] == other[0] and (fnmatch(one[1], other[1]) or fnmatch(other[1], one[1]))

    return {pair for pair in pairs if not any(is_same(pair, other) for other in others)}


def test_every_topic_service_and_action_stands_in_a_table_with_its_type(shared):
    shared.client.spin_until(
        lambda: set(NODES) <= {name for name, _ in shared.client.node.get_node_names_and_namespaces()}, "every node"
    )
    own = {pair for pair in running(shared.client) if pair[0] not in OF_OTHERS}
    assert without(own, documented()) == set(), "these are in no table of README.md or docs/interfaces.md, or with another type"


def test_every_name_in_a_table_is_there(shared):
    # Nothing listens to it in the one process.
    elsewhere = AT_TIMES | ({"/joint_commands"} if shared.shape == "arm_node" else set())
    elsewhere |= {full(name, node) for name in OF_EVERY_NODE for node in NODES}
    wanted = {pair for pair in documented() if pair[0] not in elsewhere}
    # The nodes and what they have are discovered one after the other.
    with contextlib.suppress(AssertionError):
        shared.client.spin_until(lambda: not without(wanted, running(shared.client)))
    assert without(wanted, running(shared.client)) == set(), "these stand in a table, and no node has them"
