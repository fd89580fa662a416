#!/usr/bin/env python3
"""Reads a checkpoint without lockstep: sha256sum checks its files, safetensors and numpy put the tensors together."""
import hashlib
import json
import pathlib
import subprocess
import sys

import numpy
from safetensors.numpy import load_file

folder = pathlib.Path(sys.argv[1])
text = (folder / "manifest.json").read_bytes()
manifest = json.loads(text)
seal = len(',\n  "sha256": "' + '"\n}\n') + 64
assert hashlib.sha256(text[:-seal]).hexdigest() == manifest["sha256"], "manifest.json was changed"
sums = "".join(f"{file['sha256']}  {folder / file['name']}\n" for file in manifest["shards"] + manifest["files"])
subprocess.run(["sha256sum", "--check", "--strict"], input=sums, text=True, check=True)

parts = {}
for shard in manifest["shards"]:
    for name, values in load_file(folder / shard["name"]).items():
        parts.setdefault(name, []).append(values)
for tensor in manifest["tensors"]:
    for kind in ("parameters", "m", "v"):
        name = f"{kind}/{tensor['name']}"
        whole = numpy.concatenate(parts.pop(name)).reshape(tensor["shape"])
        assert whole.dtype == numpy.float32
        print(name, whole.ravel()[:3].tolist(), "...", whole.size)
assert not parts, f"tensors that the manifest does not name: {list(parts)}"
