#!/usr/bin/env python3
"""Compares two runs step by step, or says what a run did.

    compare_runs.py same RUN OTHER TOLERANCE   0 if loss and gradient norm of every step agree: losses to TOLERANCE and the digits that are
                                               logged, norms to ten times TOLERANCE, relative
    compare_runs.py reaches RUN STEP           0 if the steps are 1 to STEP, each once
    compare_runs.py falls RUN                  0 if the last quarter's mean loss is below 0.9 of the first's
    compare_runs.py speed RUN                  prints examples per second: the median of the steps without the first 20, in which kernels are
                                               compiled and connections made
"""
import json
import pathlib
import statistics
import sys

LOGGED_DIGITS = 1e-4
WARM_UP = 20  # steps


def steps_of(run):
    records = [json.loads(line) for line in pathlib.Path(run, "metrics.jsonl").read_text().splitlines()]
    return {record["step"]: record for record in records if "grad_norm" in record}


def same(run, other, tolerance):
    ours, theirs, tolerance = steps_of(run), steps_of(other), float(tolerance)
    if not ours or ours.keys() != theirs.keys():
        return f"{run} has steps {sorted(ours)}, {other} has {sorted(theirs)}"
    for step, record in ours.items():
        for key, bar in (("loss", LOGGED_DIGITS + tolerance * abs(theirs[step]["loss"])),
                         ("grad_norm", 10 * tolerance * abs(theirs[step]["grad_norm"]))):
            if not abs(record[key] - theirs[step][key]) <= bar:
                return f"step {step}: {key} {record[key]} in {run}, {theirs[step][key]} in {other}"
    print(f"{len(ours)} steps agree; last loss {ours[max(ours)]['loss']}")
    return None


def reaches(run, last):
    records = [json.loads(line) for line in pathlib.Path(run, "metrics.jsonl").read_text().splitlines()]
    steps = [record["step"] for record in records if "grad_norm" in record]
    print(f"steps {steps[0]} to {steps[-1]}")
    return None if steps == list(range(1, int(last) + 1)) else f"steps {steps}"


def falls(run):
    losses = [record["loss"] for _, record in sorted(steps_of(run).items())]
    quarter = len(losses) // 4
    first, last = statistics.mean(losses[:quarter]), statistics.mean(losses[-quarter:])
    print(f"mean loss {first:.4f}, then {last:.4f}", end=", ")
    speed(run)
    return None if last < 0.9 * first else "the loss does not fall"


def speed(run):
    speeds = [record["samples_per_second"] for _, record in sorted(steps_of(run).items())]
    print(round(statistics.median(speeds[WARM_UP:] or speeds), 1), "examples/s")


if __name__ == "__main__":
    sys.exit({"same": same, "reaches": reaches, "falls": falls, "speed": speed}[sys.argv[1]](*sys.argv[2:]))
