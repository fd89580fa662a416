#!/usr/bin/env python3
"""Every test that a table of docs/reliability.md names as a proof must exist.

    known_failures_test.py SOURCE
"""
import pathlib
import re
import sys

NAMED = re.compile(r"`([A-Z]\w+\.[A-Z]\w+)`")
DEFINED = re.compile(r"\bTEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)")
LEAST = 30  # rows


def main():
    root = pathlib.Path(sys.argv[1])
    text = (root / "docs/reliability.md").read_text()
    table = text[text.index("## Known failures of other systems"):].split("\n## ")[0]
    named = NAMED.findall(table)
    defined = {".".join(pair) for path in (root / "tests").rglob("*.cc") for pair in DEFINED.findall(path.read_text())}
    rows = [line for line in table.splitlines() if line.startswith("|") and NAMED.search(line)]
    problems = [f"docs/reliability.md names {name}, which is no test" for name in named if name not in defined]
    problems += [line for line in table.splitlines()[4:] if line.startswith("| ") and not NAMED.search(line)
                 and "what went wrong" not in line]
    if len(rows) < LEAST:
        problems.append(f"{len(rows)} known failures, expected at least {LEAST}: is the table still read?")
    print("\n".join(problems) or f"{len(rows)} known failures, {len(set(named))} tests")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
