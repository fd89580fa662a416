"""Writes the labelled reviews of an aclImdb archive, length-prefixed (uint32, little endian), as raw bytes."""

import re
import struct
import sys
import tarfile

LABELLED = re.compile(r"aclImdb/(train|test)/(pos|neg)/\d+_\d+\.txt$")


def main():
    archive, out = sys.argv[1:]
    with tarfile.open(archive, "r|*") as tar, open(out, "wb") as file:
        for member in tar:
            if LABELLED.search(member.name):
                text = tar.extractfile(member).read()
                file.write(struct.pack("<I", len(text)) + text)


if __name__ == "__main__":
    main()
