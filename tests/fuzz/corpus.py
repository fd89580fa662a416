#!/usr/bin/env python3
"""Inputs that fuzzing found, as one text file a target: corpus.py pack FOLDER FILE, corpus.py unpack FILE FOLDER.

A line is an input, deflated and in base64: most are short, or long and empty. The shortest come first, so that a new one is one line of
difference.
"""
import base64
import hashlib
import pathlib
import sys
import zlib


def pack(folder, file):
    inputs = sorted((path.read_bytes() for path in pathlib.Path(folder).iterdir()), key=lambda body: (len(body), body))
    pathlib.Path(file).write_text("".join(base64.b64encode(zlib.compress(body, 9)).decode() + "\n" for body in inputs))


def unpack(file, folder):
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    for line in pathlib.Path(file).read_text().splitlines():
        body = zlib.decompress(base64.b64decode(line, validate=True))
        pathlib.Path(folder, hashlib.sha1(body).hexdigest()).write_bytes(body)


if __name__ == "__main__":
    {"pack": pack, "unpack": unpack}[sys.argv[1]](*sys.argv[2:])
