"""Writes N real reviews of IMDB's test half, one of them of over 1 200 tokens, one per line: reviews.py ARCHIVE N TEXTS.jsonl TEXTS.txt."""
import json
import sys
import tarfile

archive, count, jsonl, plain = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
chosen, longest = [], ""
with tarfile.open(archive) as tar:
    for member in tar:
        if "/test/" not in member.name or not member.name.endswith(".txt"):
            continue
        # One text per line for predict; HTML breaks stay, line ends do not occur in IMDB.
        text = " ".join(tar.extractfile(member).read().decode("utf-8", "replace").splitlines())
        number = int(member.name.rsplit("/", 1)[1].split("_")[0])
        if number % (25000 // count // 2) == 0 and len(chosen) < count - 1:
            chosen.append(text)
        if len(longest) < 7000 < len(text):
            longest = text
chosen.append(longest)
with open(jsonl, "w") as a, open(plain, "w") as b:
    for text in chosen:
        a.write(json.dumps({"text": text}) + "\n")
        b.write(text + "\n")
