#!/usr/bin/env python3
"""Writes what the fuzz targets start from: seeds.py FOLDER, one folder in it for each target."""
import gzip
import io
import json
import pathlib
import struct
import sys
import tarfile

SHA = "0123456789abcdef" * 4
SPLIT = {
    "shards": [{"file": "train-00000-of-00001.h5", "examples": 3, "tokens": 9, "bytes": 2400, "sha256": SHA}],
    "examples": 3, "tokens": 9, "examples_per_label": {"neg": 1, "pos": 2}, "length_histogram": [3],
    "truncated": 0, "empty": 0, "invalid_utf8": 1,
}
DATASET = {
    "schema_version": 1, "name": "smoke corpus", "source": "a.csv", "source_sha256": SHA, "known_source": False,
    "labels": ["neg", "pos"], "max_length": 512, "vocabulary_sha256": SHA, "vocabulary_size": 30522,
    "tokenizer": {"do_lower_case": True, "strip_accents": True, "tokenize_chinese_chars": True},
    "splits": {"train": SPLIT, "test": SPLIT},
}
CHECKPOINT = {
    "attempt": 1, "cursor": 32, "epoch": 1, "facts": {"seed": "42", "ranks": "2"},
    "files": [{"name": "config.json", "bytes": 600, "sha256": SHA}], "format": 1, "run": "0f", "step": 7,
    "shards": [
        {"name": "shard-00000-of-00002.safetensors", "bytes": 400, "sha256": SHA,
         "slices": [{"tensor": "a", "begin": 0, "end": 3}]},
        {"name": "shard-00001-of-00002.safetensors", "bytes": 400, "sha256": SHA,
         "slices": [{"tensor": "a", "begin": 3, "end": 4}, {"tensor": "b", "begin": 0, "end": 2}]},
    ],
    "tensors": [{"name": "a", "shape": [2, 2]}, {"name": "b", "shape": [2]}, {"name": "none", "shape": [0, 5]}],
    "training": {"optimizer_steps": 7, "best": {"step": -1}}, "world_size": 2,
}
RECORDS = [
    {"step": 2, "epoch": 0.5, "loss": 0.7, "grad_norm": 1.5, "learning_rate": 1e-5, "per_second": [9, 90, 1e9, 0.5, 0],
     "exposed_communication": 0.1, "network": 0.05, "rank_seconds": [0.2, 0.3]},
    {"step": 4, "epoch": 1, "epoch_loss": 0.6, "seconds": 3, "per_second": [9, 90, 1e9, 0.5]},
    {"step": 4, "epoch": 1, "loss": 0.5, "training_loss": 0.6, "seconds": 1, "classes": 3, "confusion": [[0, 2], [8, 1]]},
    {"step": 4, "epoch": 1, "loss": 0.5, "training_loss": 0.6, "seconds": 1, "classes": 2, "confusion": [3, 0, 1, 4]},
]
DISTILBERT = {
    "model_type": "distilbert", "vocab_size": 30522, "dim": 768, "n_heads": 12, "n_layers": 6, "hidden_dim": 3072,
    "activation": "gelu", "dropout": 0.1, "id2label": {"0": "neg", "1": "pos"}, "pad_token_id": 0,
}
BERT = {
    "model_type": "bert", "hidden_size": 384, "num_attention_heads": 12, "num_hidden_layers": 6, "hidden_act": "relu",
    "layer_norm_eps": 1e-12, "position_embedding_type": "absolute", "num_labels": 3, "is_decoder": False,
}
TENSORS = {
    "__metadata__": {"format": "pt"},
    "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
    "b": {"dtype": "BF16", "shape": [], "data_offsets": [16, 18]},
    "none": {"dtype": "I64", "shape": [0, 3], "data_offsets": [18, 18]},
}
TOKENIZER = {
    "added_tokens": [{"id": 3, "content": "[SEP]", "single_word": False, "normalized": False, "special": True}],
    "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                   "lowercase": True},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 100,
              "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "a": 5}},
}
TOKENIZER_CONFIG = {
    "do_lower_case": True, "tokenizer_class": "DistilBertTokenizer", "cls_token": "[CLS]", "strip_accents": None,
    "added_tokens_decoder": {"0": {"content": "[PAD]", "single_word": False, "normalized": False}},
    "never_split": [], "truncation_side": "right",
}


def text(value):
    return json.dumps(value).encode()


def checkpoint_body(manifest):
    """Without the closing brace: the target adds the seal."""
    return json.dumps(manifest, indent=2)[:-2].encode()


def safetensors(header, data):
    header = json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


def tar(kind):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
        for name, body in (("aclImdb/train/pos/0_9.txt", b"good"), ("aclImdb/" + "n" * 101 + "/\u00e9.txt", b"")):
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
        folder = tarfile.TarInfo("aclImdb/train")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    whole = file.getvalue()
    return whole[:len(whole) - len(whole) % 512].rstrip(b"\0").ljust(1024, b"\0") + bytes(1536)


def tars():
    plain = {name: tar(kind) for name, kind in
             (("ustar", tarfile.PAX_FORMAT), ("gnu", tarfile.GNU_FORMAT))}
    padded = {name: body + bytes(-len(body) % 512) for name, body in plain.items()}
    return padded | {"gz": gzip.compress(padded["gnu"], mtime=0)}


SEEDS = {
    "dataset_manifest": {"a": text(DATASET)},
    "checkpoint_manifest": {"a": checkpoint_body(CHECKPOINT)},
    "history": {str(i): b"".join(text(record) + b"\n" for record in records) for i, records in enumerate(
        [[record] for record in RECORDS] + [RECORDS[:2]])},
    "model_config": {"distilbert": text(DISTILBERT), "bert": text(BERT)},
    "safetensors": {"a": safetensors(TENSORS, bytes(18)), "empty": safetensors({}, b"")},
    "vocabulary": {"a": b"a\n##b\nabc\n##bcd\n\xc3\xa9\n", "crlf": b"a\r\nb"},
    "train_config": {"a": b"# settings\nlearning_rate = 1e-5 # peak\neval_strategy = \"epoch\"\nload-best = true\n"
                          b"list = [1, 2]\nempty = \"\"\n'quoted' = 'a'\n"},
    "csv": {"a": b"\xef\xbb\xbfid,text,label\r\n1,\"a \"\"b\"\",\nc\",pos\n\n2,d,neg", "short": b"text,label\na,1\n"},
    "jsonl": {"a": b"{\"text\": \"a \\u00e9\", \"label\": 1, \"more\": [{}]}\n\n{\"label\": \"x\", \"text\": \"\"}\r\n"},
    "tokenizer": {str(i): bytes([i * 37 % 256]) + body.encode() for i, body in enumerate(
        ("Banana, abana!", "caf\u00e9 CAFE\u0301 \u4e2d\u6587", "a[SEP]b [MASK", "\u0130 \u03a3 \u00df\u0345\u0301", "#" * 20 + "a" * 101))},
    "tokenizer_folder": {"tokenizer": b"\0" + text(TOKENIZER), "config": b"\1" + text(TOKENIZER_CONFIG),
                         "map": b"\2" + text({"sep_token": {"content": "[SEP]"}}), "added": b"\3" + text({"[SEP]": 3})},
    "tar": tars(),
    "printable_text": {"a": "a\x1b[31m\n\u202e\u0085\u00e9\U0001f600".encode() + b"\xff\xe2\x80"},
}


def main():
    for target, files in SEEDS.items():
        folder = pathlib.Path(sys.argv[1], target)
        folder.mkdir(parents=True, exist_ok=True)
        for name, body in files.items():
            (folder / name).write_bytes(body)


if __name__ == "__main__":
    main()
