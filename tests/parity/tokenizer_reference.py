"""Tokenizes texts with Hugging Face's real tokenizers, for tests/data/tokenizer_parity_test.cc to compare with.

Texts in and ids out are length-prefixed (uint32, little endian): bytes of a text; int32 ids of a text.
Prints facts about the tokenizer as one line of JSON.
"""

import argparse
import array
import json
import struct
import time

from transformers import AutoTokenizer, BertTokenizerFast, DistilBertTokenizerFast

CLASSES = {"bert": BertTokenizerFast, "distilbert": DistilBertTokenizerFast}
SLICE = 2000  # texts per call: bounds the memory that encodings take


def read_texts(path):
    with open(path, "rb") as file:
        while header := file.read(4):
            (size,) = struct.unpack("<I", header)
            yield file.read(size).decode("utf-8", errors="replace")


def write_ids(file, ids_of_texts):
    for ids in ids_of_texts:
        file.write(struct.pack("<I", len(ids)))
        file.write(array.array("i", ids).tobytes())


def make_tokenizer(args, flags):
    if args.folder:
        return AutoTokenizer.from_pretrained(args.folder)
    lower, strip, chinese = (flag == "1" for flag in flags)
    return CLASSES[args.tokenizer_class](
        vocab=args.vocab, do_lower_case=lower, strip_accents=strip, tokenize_chinese_chars=chinese
    )


def encode_plain(tokenizer, texts):
    """The Rust tokenizer alone, without the Python around it: what a speed should be compared with."""
    return [encoding.ids for encoding in tokenizer.backend_tokenizer.encode_batch_fast(texts)]


def encode(tokenizer, texts, max_length):
    return tokenizer(texts, truncation=max_length is not None, max_length=max_length)["input_ids"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("texts")
    parser.add_argument("ids")
    parser.add_argument("--folder")
    parser.add_argument("--vocab")
    parser.add_argument("--tokenizer_class", choices=CLASSES, default="distilbert")
    parser.add_argument("--flags", nargs="*", default=["111"], help="lower, strip, chinese as 0 and 1")
    parser.add_argument("--max_length", type=int)
    parser.add_argument("--plain", action="store_true")
    args = parser.parse_args()

    texts = list(read_texts(args.texts))
    seconds = 0.0
    with open(args.ids, "wb") as out:
        for flags in args.flags:
            tokenizer = make_tokenizer(args, flags)
            for first in range(0, len(texts), SLICE):
                some = texts[first : first + SLICE]
                start = time.perf_counter()
                ids = encode_plain(tokenizer, some) if args.plain else encode(tokenizer, some, args.max_length)
                seconds += time.perf_counter() - start
                write_ids(out, ids)
    facts = {
        "class": type(tokenizer).__name__,
        "keys": sorted(tokenizer("a").keys()),
        "model_max_length": tokenizer.model_max_length,
        "seconds": seconds,
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
