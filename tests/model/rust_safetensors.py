#!/usr/bin/env python3
"""Which files of a folder Hugging Face's reader of safetensors takes: of each a line, its name, and "taken" or why not."""
import pathlib
import sys

from safetensors import SafetensorError, deserialize

for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        deserialize(path.read_bytes())
        answer = "taken"
    except SafetensorError as error:
        answer = ascii(str(error))
    print(path.name, answer)
