"""Reads where a Cairn layer's segments are: heads of packs and indexes. docs/spec/cloud.md says how they are made.

Standard library only. As a command it prints one JSON object; a pack may be whole or its head alone:

    python3 cairn_layer.py FILE     (- for standard input)
"""

import json
import struct
import sys
import zlib
from dataclasses import asdict, dataclass
from typing import List, Optional, Tuple

HASH_BYTES = 8
DIGEST_BYTES = 32
COLUMN_BYTES = 4096
COLUMN_BYTES_PER_PART = 64
Node = Tuple[int, int, int, int]  # e, x, y, z: edge 2**e, lowest corner (x, y, z) * 2**e from the layer's origin


class InvalidLayer(ValueError):
    """The bytes are neither a pack nor an index."""


@dataclass
class Part:
    """One segment: bytes `start` to `end` of a blob."""

    node: Node
    blob: Optional[str]  # SHA-256; None: the pack that the head belongs to
    start: int
    end: int
    points: int
    hash: str  # first 8 bytes of the segment's SHA-256


@dataclass
class Parts:
    root: Node
    parts: List[Part]  # coarse first; those of a node in the order in which their points came


class Bytes:
    """Bytes that are read from the front."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise InvalidLayer("cut off")
        self.at += size
        return self.data[self.at - size : self.at]

    def varint(self) -> int:
        value = 0
        for shift in range(0, 56, 7):
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if value >= 1 << 53:
                break
            if byte < 128:
                return value
        raise InvalidLayer("a number is too large")

    def signed(self) -> int:
        value = self.varint()
        return -(value + 1) // 2 if value & 1 else value // 2

    def tree(self, root: Node) -> Tuple[List[Node], List[bool]]:
        """The nodes, and of each whether it is one that nothing follows: such a one has points, but for a lone root."""
        if not -128 <= root[0] <= 127:
            raise InvalidLayer("a root larger or smaller than any")
        nodes = [root]
        leaves = []
        for e, x, y, z in nodes:  # grows while it is read
            children = self.take(1)[0]
            leaves.append(children == 0)
            for octant in range(8):
                if children >> octant & 1:
                    if len(nodes) > len(self.data):
                        raise InvalidLayer("more nodes than bytes")
                    child = (e - 1, 2 * x + (octant & 1), 2 * y + (octant >> 1 & 1), 2 * z + (octant >> 2))
                    if child[0] < -128 or max(child[1:]) >= 1 << 32:
                        raise InvalidLayer("a node that has no name")
                    nodes.append(child)
        return nodes, [len(nodes) > 1 and leaf for leaf in leaves]

    def positive(self) -> int:
        value = self.varint()
        if value == 0:
            raise InvalidLayer("a segment of nothing")
        return value


def read(data: bytes) -> Parts:
    if data[:4] == b"CPK1":
        return read_pack(data)
    if data[:4] == b"CIX1":
        return read_index(data)
    raise InvalidLayer("begins like neither a pack nor an index")


def read_pack(data: bytes) -> Parts:
    """A pack, or no more than its head."""
    head = Bytes(data)
    _, count, *root = struct.unpack("<4sIiIII", head.take(24))
    nodes, leaves = head.tree((root[0], root[1], root[2], root[3]))
    points = [head.varint() for _ in nodes]
    if any(leaf and had == 0 for leaf, had in zip(leaves, points)):
        raise InvalidLayer("a leaf without points")
    meant = [(node, had) for node, had in zip(nodes, points) if had > 0]
    if len(meant) != count:
        raise InvalidLayer("another number of segments than it says")
    sizes = [head.positive() for _ in meant]
    hashes = [head.take(HASH_BYTES).hex() for _ in meant]
    parts = []
    at = head.at
    for (node, had), size, digest in zip(meant, sizes, hashes):
        parts.append(Part(node, None, at, at + size, had, digest))
        at += size
    if at >= 1 << 53 or len(data) not in (head.at, at):
        raise InvalidLayer("neither a head nor a whole pack")
    return Parts(nodes[0], parts)


def read_index(data: bytes) -> Parts:
    head = Bytes(data)
    _, part_count, blob_count, column_bytes, *root = struct.unpack("<4sIIIiIII", head.take(32))
    if column_bytes > COLUMN_BYTES + COLUMN_BYTES_PER_PART * part_count:
        raise InvalidLayer("columns longer than its parts can need")
    blobs = [head.take(DIGEST_BYTES).hex() for _ in range(blob_count)]
    hashes = [head.take(HASH_BYTES).hex() for _ in range(part_count)]
    inflate = zlib.decompressobj(-15)
    try:
        columns = Bytes(inflate.decompress(data[head.at :], column_bytes + 1))
    except zlib.error as error:
        raise InvalidLayer("columns that do not inflate") from error
    if len(columns.data) != column_bytes or not inflate.eof or inflate.unused_data:
        raise InvalidLayer("columns of another length than it says")
    nodes, leaves = columns.tree((root[0], root[1], root[2], root[3]))
    counts = [columns.varint() for _ in nodes]
    if any(leaf and count == 0 for leaf, count in zip(leaves, counts)):
        raise InvalidLayer("a leaf without parts")
    owners = [node for node, count in zip(nodes, counts) for _ in range(min(count, part_count))]
    if sum(counts) != part_count:
        raise InvalidLayer("another number of parts than it says")
    steps, gaps = ([columns.signed() for _ in hashes] for _ in range(2))
    sizes, points = ([columns.positive() for _ in hashes] for _ in range(2))
    if columns.at < len(columns.data):
        raise InvalidLayer("columns with more than its parts")
    parts = []
    ends = [0] * blob_count
    blob = 0
    for node, step, gap, size, had, digest in zip(owners, steps, gaps, sizes, points, hashes):
        blob += step
        if not 0 <= blob < blob_count or ends[blob] + gap < 0:
            raise InvalidLayer("a part that is nowhere")
        start = ends[blob] + gap
        ends[blob] = start + size
        if ends[blob] >= 1 << 53:
            raise InvalidLayer("a part that is nowhere")
        parts.append(Part(node, blobs[blob], start, start + size, had, digest))
    return Parts(nodes[0], parts)


def main() -> None:
    source = sys.argv[1] if len(sys.argv) > 1 else "-"
    if source == "-":
        data = sys.stdin.buffer.read()
    else:
        with open(source, "rb") as file:
            data = file.read()
    try:
        layer = read(data)
    except InvalidLayer as error:
        sys.exit(f"neither a pack nor an index: {error}")
    json.dump(asdict(layer), sys.stdout)
    print()


if __name__ == "__main__":
    main()
