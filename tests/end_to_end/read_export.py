#!/usr/bin/env python3
"""read_export.py CHECKPOINT MODEL H5: what `lockstep export` made of a checkpoint, as others read it, against the checkpoint's own shards."""
import json
import pathlib
import sys

import h5py
import numpy
import transformers
from safetensors.numpy import load_file

checkpoint, model_folder, h5 = map(pathlib.Path, sys.argv[1:])
manifest = json.loads((checkpoint / "manifest.json").read_bytes())
shards = [load_file(checkpoint / shard["name"]) for shard in manifest["shards"]]


def whole(kind, tensor):
    parts = [shard[f"{kind}/{tensor['name']}"] for shard in shards if f"{kind}/{tensor['name']}" in shard]
    return numpy.concatenate(parts).reshape(tensor["shape"])


with h5py.File(h5) as file:
    assert dict(file.attrs) == {key: manifest[key] for key in ("step", "epoch", "cursor")}, dict(file.attrs)
    for kind in ("parameters", "m", "v"):
        assert set(file[kind]) == {tensor["name"] for tensor in manifest["tensors"]}
        for tensor in manifest["tensors"]:
            found = file[kind][tensor["name"]]
            assert found.dtype == numpy.float32
            assert numpy.array_equal(found[...], whole(kind, tensor)), f"{kind}/{tensor['name']}"

model, info = transformers.AutoModelForSequenceClassification.from_pretrained(model_folder, output_loading_info=True)
assert not any(info.values()), info
state = model.state_dict()
assert set(state) == {tensor["name"] for tensor in manifest["tensors"]}
for tensor in manifest["tensors"]:
    assert numpy.array_equal(state[tensor["name"]].numpy(), whole("parameters", tensor)), tensor["name"]
tokenizer = transformers.AutoTokenizer.from_pretrained(model_folder)
assert tokenizer("good")["input_ids"][0] == tokenizer.cls_token_id
print(f"{len(manifest['tensors'])} tensors are equal")
