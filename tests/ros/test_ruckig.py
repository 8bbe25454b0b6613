"""Our time-optimal moves against those of ruckig itself: as short, within the same limits, and ending exactly."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import subprocess

import pytest

from harness import EXECUTABLES

ruckig = pytest.importorskip("ruckig", reason="ruckig is not importable")

SAMPLES = 50
SAME_RATIO = 1e-6
# ruckig lets a state be this wrong where a phase ends.
ROUNDING = 1e-7

State = tuple[float, float, float]
Limits = tuple[float, float | None, float | None]


@dataclasses.dataclass
class Move:
    """One entry for each joint; a limit that is None is infinite."""

    start: list[State]
    end: list[State]
    limits: list[Limits]
    least: float = 0.0

    def request(self) -> str:
        return json.dumps(
            {"from": self.start, "to": self.end, "limits": self.limits, "least": self.least, "samples": SAMPLES}
        )


def test_moves_of_one_joint_are_as_short_as_ruckigs():
    chance = random.Random(1)
    compare([random_move(chance, joints=1) for _ in range(10_000)])


def test_moves_of_six_joints_end_together_as_early_as_ruckigs():
    chance = random.Random(2)
    compare([random_move(chance, joints=6) for _ in range(1_020)])


def test_moves_with_a_least_duration_are_as_long_as_ruckigs():
    chance = random.Random(3)
    moves = [random_move(chance, joints=1 + index % 3) for index in range(1_000)]
    for move in moves:
        move.least = chance.uniform(0.0, 10.0)
    compare(moves)


def test_everyday_moves_between_rests_are_as_short_as_ruckigs():
    chance = random.Random(4)
    compare([everyday_move(chance) for _ in range(2_000)])


def compare(moves: list[Move]) -> None:
    """Whatever ruckig has a move for, we have one that takes as long."""
    answers = plan(moves)
    assert len(answers) == len(moves)
    ratios, far = [], []
    for move, answer in zip(moves, answers):
        theirs = ruckigs_duration(move)
        if theirs is None:
            continue
        assert "error" not in answer, f"{answer['error']}: {move}"
        ours = answer["duration"]
        ratio = ours / theirs if theirs > ROUNDING else 1.0 + ours - theirs
        ratios.append(ratio)
        if abs(ratio - 1.0) > SAME_RATIO:
            far.append((ratio, move))
        check_samples(move, answer)
    print(f"{len(ratios)} moves: ratio {sum(ratios) / len(ratios):.12f} on average, {max(ratios):.12f} at most")
    assert not far, f"{len(far)} of {len(moves)} moves take another time: {far[:3]}"
    # Joints of which one needs hours for what takes another a blink are too much for it.
    assert len(ratios) >= 0.98 * len(moves)


def plan(moves: list[Move]) -> list[dict]:
    """What our planner makes of them."""
    run = subprocess.run(
        [EXECUTABLES / "examples" / "move_times"],
        input="".join(move.request() + "\n" for move in moves),
        capture_output=True,
        text=True,
        timeout=60.0,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def ruckigs_duration(move: Move) -> float | None:
    joints = len(move.start)
    wanted = ruckig.InputParameter(joints)
    wanted.current_position, wanted.current_velocity, wanted.current_acceleration = columns(move.start)
    wanted.target_position, wanted.target_velocity, wanted.target_acceleration = columns(move.end)
    wanted.max_velocity = [velocity for velocity, _, _ in move.limits]
    # It has no infinite acceleration within finite jerk.
    wanted.max_acceleration = [1e3 if acceleration is None else acceleration for _, acceleration, _ in move.limits]
    wanted.max_jerk = [math.inf if jerk is None else jerk for _, _, jerk in move.limits]
    if move.least > 0.0:
        wanted.minimum_duration = move.least
    trajectory = ruckig.Trajectory(joints)
    try:
        result = ruckig.Ruckig(joints).calculate(wanted, trajectory)
    except (ruckig.RuckigError, ValueError):
        return None
    return trajectory.duration if result == ruckig.Result.Working else None


def check_samples(move: Move, answer: dict) -> None:
    """Ends exact, positions the integral of velocities, and every state within what limits and start allow."""
    for start, end, limits, samples in zip(move.start, move.end, move.limits, answer["samples"]):
        velocity_limit, acceleration_limit, jerk_limit = limits
        assert same(samples[-1], end), move
        if answer["duration"] > 0.0:
            assert same(samples[0], start), move
        # The start may be outside, or on its way out.
        inevitable = 0.0 if jerk_limit is None else start[2] ** 2 / (2.0 * jerk_limit)
        fastest = max(velocity_limit, abs(start[1]) + inevitable)
        strongest = max(acceleration_limit or math.inf, abs(start[2]), abs(end[2]))
        for _, velocity, acceleration in samples:
            assert abs(velocity) <= fastest + ROUNDING, move
            assert abs(acceleration) <= strongest + ROUNDING, move
        settled = [abs(velocity) for _, velocity, _ in samples]
        within = next((i for i, velocity in enumerate(settled) if velocity <= velocity_limit + ROUNDING), 0)
        if abs(start[2]) <= 1e-12:
            assert all(velocity <= velocity_limit + ROUNDING for velocity in settled[within:]), move
        check_integral(move, answer["duration"] / SAMPLES, samples, jerk_limit, strongest)


def same(state: State, other: State) -> bool:
    """Equal but for the last digit, which JSON may cost."""
    return all(abs(a - b) <= 1e-12 * max(1.0, abs(b)) for a, b in zip(state, other))


def check_integral(
    move: Move, step: float, samples: list[State], jerk_limit: float | None, acceleration_limit: float
) -> None:
    for (p0, v0, a0), (p1, v1, a1) in zip(samples, samples[1:]):
        if jerk_limit is not None:
            assert abs(a1 - a0) <= jerk_limit * step + ROUNDING, move
        if acceleration_limit == math.inf:
            continue
        assert abs(v1 - v0) <= acceleration_limit * step + ROUNDING, move
        assert abs(p1 - p0 - (v0 + v1) / 2.0 * step) <= acceleration_limit * step**2 / 4.0 + ROUNDING, move


def random_move(chance: random.Random, joints: int) -> Move:
    limits = [random_limits(chance) for _ in range(joints)]
    start = [random_start(chance, each) for each in limits]
    return Move(start, [random_end(chance, each) for each in limits], limits)


def random_limits(chance: random.Random) -> Limits:
    velocity, acceleration, jerk = (10.0 ** chance.uniform(*range_) for range_ in ((-1, 1), (-0.5, 1.5), (0, 2.5)))
    kind = chance.random()
    return velocity, None if kind > 0.95 else acceleration, None if kind < 0.1 else jerk


def random_start(chance: random.Random, limits: Limits) -> State:
    velocity, acceleration, jerk = limits
    # Some are outside.
    factor = chance.choice((0.0, 0.5, 1.0, 1.3))
    velocity *= factor * chance.uniform(-1.0, 1.0)
    acceleration = 0.0 if jerk is None else factor * (acceleration or 5.0) * chance.uniform(-1.0, 1.0)
    return chance.uniform(-3.0, 3.0), velocity, acceleration


def random_end(chance: random.Random, limits: Limits) -> State:
    most_velocity, most_acceleration, jerk = limits
    if chance.random() < 0.4:
        return chance.uniform(-3.0, 3.0), 0.0, 0.0
    velocity = most_velocity * chance.choice((-1.0, 1.0, *(chance.uniform(-1.0, 1.0) for _ in range(4))))
    if jerk is None or chance.random() < 0.3:
        return chance.uniform(-3.0, 3.0), velocity, 0.0
    # No more than can be had without passing the greatest speed before or after.
    most = min(most_acceleration or 5.0, math.sqrt(2.0 * jerk * (most_velocity - abs(velocity))))
    return chance.uniform(-3.0, 3.0), velocity, 0.99 * most * chance.uniform(-1.0, 1.0)


def everyday_move(chance: random.Random) -> Move:
    """Round numbers, short ways and none at all, as people and planners send them."""
    joints = chance.randint(1, 7)
    limits = [
        (chance.choice((0.5, 1.0, 2.0, 3.14)), chance.choice((None, 1.0, 2.0, 10.0)), chance.choice((None, 20.0, 100.0)))
        for _ in range(joints)
    ]
    # ruckig has no answer for the one without the other; see `ruckigs_duration`.
    limits = [(v, 10.0 if a is None and j is None else a, j) for v, a, j in limits]
    positions = (0.0, 0.1, -0.1, 0.5, 1.0, 1.57, -1.57, 3.14, 1e-3, 1e-6, 1e-9)
    start = [(chance.choice(positions), 0.0, 0.0) for _ in range(joints)]
    return Move(start, [(chance.choice(positions), 0.0, 0.0) for _ in range(joints)], limits)


def columns(states: list[State]) -> tuple[list[float], list[float], list[float]]:
    positions, velocities, accelerations = zip(*states)
    return list(positions), list(velocities), list(accelerations)
