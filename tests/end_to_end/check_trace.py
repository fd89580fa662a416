#!/usr/bin/env python3
"""check_trace.py FILE FIRST LAST: is FILE the trace of steps FIRST to LAST of two ranks, with an evaluation after the
last, whose reductions ran while backward did? Prints what is wrong."""
import collections
import json
import sys

COMPUTE, REDUCTIONS = 0, 1


def end_of(event):
    return event["ts"] + event.get("dur", 0)


def named(events, name):
    found = [event for event in events if event["name"] == name]
    assert len(found) == 1, f"{len(found)} events called {name!r}"
    return found[0]


def check_nesting(events):
    """Complete events of one track lie beside or inside each other. Times have three decimals."""
    open_ends = []
    for event in sorted(events, key=lambda e: (e["ts"], -e["dur"])):
        while open_ends and open_ends[-1] <= event["ts"] + 1e-4:
            open_ends.pop()
        assert not open_ends or end_of(event) <= open_ends[-1] + 1e-4, f"{event} overlaps what it begins in"
        open_ends.append(end_of(event))


def check_step(compute, reductions, step):
    """Whether a reduction after the first began before the end of backward."""
    whole = named(compute, f"step {step}")
    inside = lambda e: whole["ts"] <= e["ts"] and end_of(e) <= end_of(whole) + 1e-4
    mine = [event for event in compute if inside(event)]
    order = [named(mine, name) for name in ("forward", "backward", "wait for reductions", "optimizer")]
    for earlier, later in zip(order, order[1:]):
        assert end_of(earlier) <= later["ts"] + 1e-4, f"step {step}: {later['name']} begins before {earlier['name']} ends"
    backward, wait = order[1], order[2]

    buckets = [event for event in reductions if inside(event)]
    assert len(buckets) >= 4, f"step {step} has {len(buckets)} buckets"
    for i, bucket in enumerate(buckets):
        assert bucket["name"] == f"bucket {i}" and bucket["args"]["bytes"] > 0
        ready = named(mine, f"bucket {i} ready")
        assert backward["ts"] <= ready["ts"] <= end_of(backward), f"step {step}: {ready['name']} is not in backward"
        assert ready["ts"] <= bucket["ts"], f"step {step}: {bucket['name']} was reduced before it was ready"
        assert end_of(bucket) <= end_of(wait) + 1e-4, f"step {step}: {bucket['name']} was not waited for"
    for earlier, later in zip(buckets, buckets[1:]):
        assert end_of(earlier) <= later["ts"] + 1e-4, f"step {step}: {later['name']} overlaps {earlier['name']}"
    return buckets[1]["ts"] < end_of(backward)


def main():
    file, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    tracks = collections.defaultdict(list)
    with open(file) as source:
        for event in json.load(source)["traceEvents"]:
            tracks[event["pid"], event["tid"], event["ph"]].append(event)
    overlaps = []
    for rank in (0, 1):
        names = {event["name"]: event["args"]["name"] for event in tracks[rank, COMPUTE, "M"]}
        assert names["process_name"].startswith(f"rank {rank} on ") and names["thread_name"] == "compute", names
        for track in (COMPUTE, REDUCTIONS):
            check_nesting(tracks[rank, track, "X"])
        compute = tracks[rank, COMPUTE, "X"] + tracks[rank, COMPUTE, "i"]
        steps = {event["name"] for event in compute if event["name"].startswith("step ")}
        assert steps == {f"step {step}" for step in range(first, last + 1)}, steps
        for step in range(first, last + 1):
            overlaps.append(check_step(compute, tracks[rank, REDUCTIONS, "X"], step))
        assert [e["name"] for e in compute].count("evaluation") == (1 if rank == 0 else 0)
        named(compute, "wait for the evaluation")
    assert set(key[0] for key in tracks) == {0, 1}
    # A rank that is ahead of the other meets it late; the later one's first bucket goes at once. Without overlap, none.
    assert any(overlaps), "no second bucket was reduced while backward ran"


if __name__ == "__main__":
    main()
