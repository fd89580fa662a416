"""Shards that h5py writes: foreign_shards.py FOLDER writes one good one and many that must be refused.

foreign_shards.py --show FILE prints what h5py finds in a shard.
"""

import pathlib
import sys

import h5py
import numpy

SHA = "0" * 64
IDS = numpy.array([2, 5, 3, 2, 7, 8, 3], "<u2")
OFFSETS = numpy.array([0, 3, 7], "<i8")
LABELS = numpy.array([0, 1], "<i4")


def attributes(file, schema=1, split="train", sha=SHA):
    file.attrs.create("schema_version", schema, dtype="<i4")
    file.attrs.create("split", numpy.bytes_(split))
    file.attrs.create("vocabulary_sha256", numpy.bytes_(sha))


def shard(path, ids=IDS, offsets=OFFSETS, labels=LABELS, without=(), **given):
    file = h5py.File(path, "w")
    attributes(file, **given)
    for name, values in {"ids": ids, "offsets": offsets, "labels": labels}.items():
        if name not in without:
            file.create_dataset(name, data=values)
    return file


def write_all(folder):
    def make(name, **given):
        return shard(folder / f"{name}.h5", **given)

    make("good")
    make("future_schema", schema=2)
    make("other_split", split="test")
    make("other_vocabulary", sha="1" * 64)
    make("wide_ids", ids=IDS.astype("<u4"))
    make("big_endian_labels", labels=LABELS.astype(">i4"))
    make("float_labels", labels=LABELS.astype("<f4"))
    make("matrix_ids", ids=IDS.reshape(7, 1))
    make("id_too_large", ids=numpy.array([2, 5, 3, 2, 7, 10, 3], "<u2"))
    make("label_too_large", labels=numpy.array([0, 2], "<i4"))
    make("negative_label", labels=numpy.array([0, -1], "<i4"))
    make("offsets_fall", offsets=numpy.array([0, 8, 7], "<i8"))
    make("offsets_stand", offsets=numpy.array([0, 0, 7], "<i8"))
    make("offsets_short", offsets=numpy.array([0, 3, 6], "<i8"))
    make("offsets_late", offsets=numpy.array([1, 3, 7], "<i8"))
    make("too_few_offsets", offsets=numpy.array([0, 7], "<i8"))
    make("missing_labels", without=["labels"])
    make("missing_ids", without=["ids"])["other"] = IDS
    make("extra_dataset")["extra"] = IDS
    make("soft_link", without=["ids"])["ids"] = h5py.SoftLink("/labels")
    make("external_link", without=["ids"])["ids"] = h5py.ExternalLink(str(folder / "good.h5"), "/ids")
    make("group", without=["ids"]).create_group("ids")
    make("empty", without=["ids"]).create_dataset("ids", shape=(0,), dtype="<u2")
    make("chunked", without=["ids"]).create_dataset("ids", data=IDS, chunks=(7,))
    make("compressed", without=["ids"]).create_dataset("ids", data=IDS, chunks=(7,), compression="gzip")
    for name, filters in {"plugin": {"compression": "lzf"}, "shuffled": {"shuffle": True}, "checked": {"fletcher32": True},
                          "scaled": {"scaleoffset": 0}}.items():
        make(name, without=["ids"]).create_dataset("ids", data=IDS, chunks=(7,), **filters)
    # Storage inside the object's header.
    compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    compact.set_layout(h5py.h5d.COMPACT)
    file = make("compact", without=["ids"])
    h5py.h5d.create(file.id, b"ids", h5py.h5t.STD_U16LE, h5py.h5s.create_simple((7,)), compact)
    make("growing", without=["ids"]).create_dataset("ids", data=IDS, maxshape=(None,))
    file = make("committed_type", without=["ids", "offsets"])
    file["offsets"] = numpy.dtype("<u2")
    file.create_dataset("ids", data=IDS, dtype=file["offsets"])
    make("link_to_a_missing_file", without=["ids"])["ids"] = h5py.ExternalLink("nowhere.h5", "/ids")
    make("soft_link_out", without=["ids"])["ids"] = h5py.SoftLink("/nowhere")
    (folder / "raw").write_bytes(IDS.tobytes())
    make("external_storage", without=["ids"]).create_dataset(
        "ids", shape=(7,), dtype="<u2", external=[(str(folder / "raw"), 0, h5py.h5f.UNLIMITED)])
    # Allocated late and never written: a small file that declares a gigabyte.
    make("declared_bomb", without=["ids"]).create_dataset("ids", shape=(1 << 29,), dtype="<u2")
    layout = h5py.VirtualLayout(shape=(7,), dtype="<u2")
    layout[:] = h5py.VirtualSource(str(folder / "good.h5"), "ids", shape=(7,))
    make("virtual", without=["ids"]).create_virtual_dataset("ids", layout)
    with h5py.File(folder / "no_attributes.h5", "w") as file:
        file["ids"], file["offsets"], file["labels"] = IDS, OFFSETS, LABELS
    with h5py.File(folder / "long_attribute.h5", "w") as file:
        attributes(file, split="train" * 1000)
        file["ids"], file["offsets"], file["labels"] = IDS, OFFSETS, LABELS


def show(path):
    with h5py.File(path) as file:
        for name in sorted(file):
            data = file[name]
            print(name, data.dtype.str, data.chunks, data.compression, *data[:])
        for name in sorted(file.attrs):
            value = file.attrs[name]
            print(name, value.decode() if isinstance(value, bytes) else value)


if __name__ == "__main__":
    if sys.argv[1] == "--show":
        show(sys.argv[2])
    else:
        write_all(pathlib.Path(sys.argv[1]))
