"""Strangers' solvers on the targets and seeds that ours has just had; every answer checked by numpy alone.

    python peers.py ANSWERS OURS REPORT

ANSWERS and OURS are what the bench `ik` has written: arms, and for each of their sets targets, seeds, our answers and
times; and its own summary, which goes into REPORT, too.
"""

import json
import pathlib
import sys
import time

import numpy as np

import fk
import solvers

# Some bound the sum of squares, some each number of an error of six: both count within twice the tolerance.
SLACK = 2.0


def main(answers: pathlib.Path, ours: pathlib.Path, report: pathlib.Path) -> None:
    here, missing = solvers.available()
    for title, reason in missing.items():
        print(f"{title} is left out: {reason}")
    rows = []
    given = json.loads(answers.read_text())
    for arm in given["arms"]:
        chain = fk.Chain(arm["urdf"], arm["base"], arm["tip"])
        for each in arm["sets"]:
            judge = Judge(arm["name"], chain, each)
            own = judge.row("ours", each["answers"], np.array(each["nanos"]) / 1e3, None)
            rows.append(own)
            for solver in here:
                if each["aim"] in solver.aims:
                    row = run(solver, arm, chain, each, judge)
                    ratios = {key: row[key] / own[key] for key in ("mean_us", "p50_us")}
                    rows.append({**row, "times_ours_mean": ratios["mean_us"], "times_ours_p50": ratios["p50_us"]})
            show([row for row in rows if (row["arm"], row["set"]) == (arm["name"], each["name"])])
    whole = {"ours": json.loads(ours.read_text()), "left_out": missing, "slack": SLACK, "rows": rows}
    report.write_text(json.dumps(whole, indent=2))


def run(solver: type, arm: dict, chain: fk.Chain, each: dict, judge: "Judge") -> dict:
    made = solver(arm["urdf"], arm["base"], arm["tip"], chain, each["aim"])
    targets = [made.target(pose) for pose in judge.goals]
    seeds = [made.seed(np.array(seed)) for seed in each["seeds"]]
    clock = time.perf_counter_ns
    times, found = [], []
    failures = 0
    for target, seed in zip(targets, seeds):
        begun = clock()
        try:
            answer = made.solve(target, seed)
        # A panic of Rust is no Exception.
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            answer, failures = None, failures + 1
        times.append(clock() - begun)
        found.append(None if answer is None else [float(position) for position in answer])
    begun = clock()
    for seed in seeds[:1000]:
        made.fk(seed)
    overhead = (clock() - begun) / 1e3 / len(seeds[:1000])
    row = judge.row(made.title, found, np.array(times) / 1e3, overhead)
    return {**row, "raised": failures}


class Judge:
    """Says which answers of a set are right."""

    def __init__(self, arm: str, chain: fk.Chain, each: dict):
        self.arm, self.chain, self.each = arm, chain, each
        self.goals = np.array(each["targets"]).reshape(-1, 4, 4)

    def row(self, title: str, found: list, micros: np.ndarray, overhead: float | None) -> dict:
        solved, wrong = self.judge(found)
        return {
            "arm": self.arm,
            "set": self.each["name"],
            "solver": title,
            "targets": len(found),
            "solved_percent": 100 * solved / len(found),
            "wrong": wrong,
            "mean_us": float(micros.mean()),
            "p50_us": float(np.percentile(micros, 50)),
            "p99_us": float(np.percentile(micros, 99)),
            "max_us": float(micros.max()),
            "binding_and_fk_us": overhead,
        }

    def judge(self, found: list) -> tuple[int, int]:
        """How many answers are right, and how many are said to be and are not."""
        given = np.array([answer is not None for answer in found])
        if not given.any():
            return 0, 0
        positions = np.array([answer for answer in found if answer is not None])
        goals = self.goals[given]
        poses = self.chain.poses(positions)
        distance, angle = fk.errors(poses, goals)
        if self.each["aim"] == "position":
            angle = np.zeros_like(distance)
        elif self.each["aim"].startswith("axis:"):
            angle = fk.axis_errors(poses, goals, "xyz".index(self.each["aim"][-1]))
        tolerance = SLACK * solvers.TOLERANCE
        right = (distance <= tolerance) & (angle <= tolerance) & self.chain.within_limits(positions)
        return int(right.sum()), int((~right).sum())


def show(rows: list[dict]) -> None:
    first = rows[0]
    print(f"\n{first['arm']}, {first['set']}, {first['targets']} targets")
    print(f"  {'':<16} {'solved %':>9} {'mean us':>9} {'p50':>9} {'p99':>9} {'max':>9} {'x mean':>8} {'x p50':>8} {'call+FK':>8}")
    for row in rows:
        numbers = [row[key] for key in ("mean_us", "p50_us", "p99_us", "max_us")]
        ratios = [row.get(key) for key in ("times_ours_mean", "times_ours_p50")]
        ratio = " ".join(f"{'':8}" if number is None else f"{number:8.1f}" for number in ratios)
        overhead = f"{row['binding_and_fk_us']:8.1f}" if row["binding_and_fk_us"] is not None else ""
        wrong = f"  {row['wrong']} wrong" if row["wrong"] else ""
        cells = " ".join(f"{number:9.2f}" for number in numbers)
        print(f"  {row['solver']:<16} {row['solved_percent']:9.2f} {cells} {ratio} {overhead}{wrong}".rstrip())


if __name__ == "__main__":
    main(*(pathlib.Path(argument) for argument in sys.argv[1:4]))
