"""Reviews of IMDB for the benchmarks beside this file."""
import json
import random
import tarfile


def write_reviews(archive, count, split, path, seed):
    """`count` reviews of `split`, half of each label, as JSONL."""
    reviews = {"neg": [], "pos": []}
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = member.name.split("/")
            if len(parts) == 4 and parts[1] == split and parts[2] in reviews and member.isfile():
                reviews[parts[2]].append((member.name, tar.extractfile(member).read().decode("utf-8", "replace")))
    with open(path, "w") as file:
        for label, items in reviews.items():
            for _, text in random.Random(seed).sample(sorted(items), count // 2):
                file.write(json.dumps({"text": text, "label": label}) + "\n")
