"""Reads a Cairn segment: coloured points of one octree node as bytes. docs/spec/cloud.md says how they are made.

Standard library only. As a command it prints one JSON object:

    python3 cairn_segment.py FILE     (- for standard input)
"""

import json
import math
import struct
import sys
import zlib
from dataclasses import dataclass
from typing import List, Optional, Tuple

MAX_POINTS = 1 << 20
LUMA_PLANES = 4
REACH = 4  # a colour is guessed from the nearest of so many points before it
Triple = Tuple[int, int, int]


class InvalidSegment(ValueError):
    """The bytes are not a segment."""


@dataclass
class Segment:
    """Points of one node, in the order of their keys."""

    node: Tuple[int, int, int, int]  # e, x, y, z: edge 2**e, lowest corner (x, y, z) * 2**e from the layer's origin
    bits: int  # coordinates are 0 ... 2**bits - 1 of the edge, the point lies in the middle of its step
    coords: List[Triple]
    colors: List[Triple]  # sRGB
    photos: List[int]
    confidences: Optional[List[int]]  # None: all 255
    normals: Optional[List[Triple]]  # unit vectors times 127, (0, 0, 0) where not known

    def position(self, index: int, origin: Tuple[float, float, float]) -> Tuple[float, float, float]:
        """A point in the layer's frame."""
        edge = 2.0 ** self.node[0]
        step = edge / 2**self.bits
        x, y, z = (
            start + corner * edge + (coord + 0.5) * step
            for start, corner, coord in zip(origin, self.node[1:], self.coords[index])
        )
        return x, y, z


def decode(data: bytes) -> Segment:
    if len(data) < 7 or data[:3] != b"CS\x01":
        raise InvalidSegment("does not begin like a segment")
    flags, exponent, bits, precision = struct.unpack_from("<BbBB", data, 3)
    key_precision, chroma_precision, luma_precision = precision & 3, precision >> 2 & 1, precision >> 3
    if flags > 15 or not 1 <= bits <= 16 or key_precision > 2 or precision > 63:
        raise InvalidSegment("its head is not one")
    at = 7
    axis, folded = 2, 0
    if flags & 8:
        if len(data) < 8:
            raise InvalidSegment("its head is cut off")
        axis, folded = data[7] & 3, data[7] >> 2
        if axis == 3 or not 1 <= folded <= bits:
            raise InvalidSegment("folded as nothing can be")
        at = 8

    def number() -> int:
        nonlocal at
        value = 0
        for shift in range(0, 35, 7):
            if at >= len(data):
                break
            byte = data[at]
            at += 1
            if byte == 0 and shift:
                break
            value |= (byte & 127) << shift
            if byte < 128 and value < 1 << 32:
                return value
        raise InvalidSegment("a number in its head is cut off or too long")

    node = (exponent, number(), number(), number())
    count = number()
    if count > MAX_POINTS:
        raise InvalidSegment("too many points")
    distinct = number() if flags & 1 else 1
    if flags & 1 and not 2 <= distinct <= min(count, len(data)):
        raise InvalidSegment("a list of photos that cannot be")
    photo_list = [number()]
    while len(photo_list) < distinct:
        photo_list.append(photo_list[-1] + 1 + number())
    if photo_list[-1] >= 1 << 32:
        raise InvalidSegment("a photo's number is too large")
    rest_size = number()
    photo_planes = 0 if distinct < 2 else 1 if distinct <= 0x100 else 2 if distinct <= 0x10000 else 3
    size = count * (3 + photo_planes + (flags >> 1 & 1) + 2 * (flags >> 2 & 1) + (flags >> 3))
    compressed = data[at + rest_size :]
    if rest_size > 9 * count or not compressed or size > 1032 * len(compressed):
        raise InvalidSegment("shorter than its head says")
    planes = _inflate(compressed, size)
    coords, colors = _points(
        planes, data[at : at + rest_size], count, bits, (axis, folded), key_precision, chroma_precision, luma_precision
    )

    at = (3 + (flags >> 3)) * count
    photos = [photo_list[0]] * count
    if photo_planes:
        places = [0] * count
        for plane in range(photo_planes):
            for i in range(count):
                places[i] |= planes[at + i] << 8 * plane
            at += count
        if max(places) >= distinct:
            raise InvalidSegment("a photo that is not in its list")
        photos = [photo_list[place] for place in places]
    confidences = None
    if flags & 2:
        levels = planes[at : at + count]
        if any(level > 15 for level in levels):
            raise InvalidSegment("a confidence over 15")
        confidences = [17 * level for level in levels]
        at += count
    normals = _normals(planes[at : at + count], planes[at + count : at + 2 * count]) if flags & 4 else None
    return Segment(node, bits, coords, colors, photos, confidences, normals)


def _inflate(compressed: bytes, size: int) -> bytes:
    inflate = zlib.decompressobj(-15)
    try:
        planes = inflate.decompress(compressed, size + 1)
    except zlib.error as error:
        raise InvalidSegment("its planes do not inflate") from error
    if len(planes) != size or not inflate.eof or inflate.unused_data:
        raise InvalidSegment("its planes are too short or too long")
    return planes


def _byte_table(precision: int) -> Tuple[List[int], List[int]]:
    """By symbol: the smallest number, and how many rest bits there are."""
    bases, rest_bits = [], []
    for symbol in range(256):
        bits = 0 if symbol < 2 << precision else (symbol >> precision) - 1
        base = symbol if bits == 0 else ((symbol & ((1 << precision) - 1)) | (1 << precision)) << bits
        if base > 255:
            break
        bases.append(base)
        rest_bits.append(bits)
    return bases, rest_bits


def _points(planes, rest, count, bits, fold, key_precision, chroma_precision, luma_precision):
    axis, folded = fold
    chroma_bases, chroma_rest = _byte_table(chroma_precision)
    luma_bases, luma_rest = _byte_table(luma_precision)
    keys, chromas = planes[:count], planes[count : 2 * count]

    def luma_plane(chroma: int) -> int:
        if max(chroma >> 4, chroma & 15) >= len(chroma_bases):
            raise InvalidSegment("a colour that is none")
        length = max(chroma_bases[chroma >> 4].bit_length(), chroma_bases[chroma & 15].bit_length())
        return length if length < 2 else 2 if length < 4 else 3

    which = [luma_plane(chroma) for chroma in chromas]
    luma_at = [2 * count] * LUMA_PLANES
    for plane in range(1, LUMA_PLANES):
        luma_at[plane] = luma_at[plane - 1] + which.count(plane - 1)

    at = 0

    def take(n: int) -> int:
        nonlocal at
        first, last = at >> 3, (at + n + 7) >> 3
        if last > len(rest):
            raise InvalidSegment("its rest bits are too short")
        word = int.from_bytes(rest[first:last], "little") >> (at & 7)
        at += n
        return word & ((1 << n) - 1)

    def number(symbol: int) -> int:
        if symbol < 2 << key_precision:
            return symbol
        more = (symbol >> key_precision) - 1
        if more > 47:
            raise InvalidSegment("a key beyond its node")
        return ((symbol & ((1 << key_precision) - 1) | 1 << key_precision) << more) | take(more)

    def nearest(place: Triple, mask: int) -> int:
        """How many points back; w, the last of the three, counts without the bits of the mask."""
        u, v, w = place
        far = [abs(a - u) + abs(b - v) + abs((c & ~mask) - (w & ~mask)) for a, b, c in places[: -REACH - 1 : -1]]
        return 1 + far.index(min(far))  # of equally near ones the last point, so the first that is found

    # u, v, w are the axes from the one after the folded one on. Before the first point there are as many of nothing.
    mask = (1 << folded) - 1
    places, colors = [(0, 0, 0)] * REACH, []
    tones = [(0, 0, 0)] * REACH
    key = 0
    for i in range(count):
        key += number(keys[i])
        if key >> 3 * bits - folded:
            raise InvalidSegment("a key beyond its node")
        u = v = w = 0
        for bit in range(folded):
            u |= (key >> 2 * bit & 1) << bit
            v |= (key >> 2 * bit + 1 & 1) << bit
        for bit in range(folded, bits):
            u |= (key >> 3 * bit - folded & 1) << bit
            v |= (key >> 3 * bit - folded + 1 & 1) << bit
            w |= (key >> 3 * bit - folded + 2 & 1) << bit
        if folded:
            across = places[-nearest((u, v, w), mask)][2]
            off = number(planes[3 * count + i])
            if off > mask:
                raise InvalidSegment("a key beyond its node")
            w |= min(max(across - w, 0), mask) + _signed(off) & mask
        luma, orange, green = tones[-nearest((u, v, w), 0)]
        places.append((u, v, w))

        chroma = chromas[i]
        luma_symbol = planes[luma_at[which[i]]]
        luma_at[which[i]] += 1
        if luma_symbol >= len(luma_bases):
            raise InvalidSegment("a colour that is none")
        orange = _byte(orange + _signed(chroma_bases[chroma >> 4] + take(chroma_rest[chroma >> 4])))
        green = _byte(green + _signed(chroma_bases[chroma & 15] + take(chroma_rest[chroma & 15])))
        luma = _byte(luma + _signed(luma_bases[luma_symbol] + take(luma_rest[luma_symbol])))
        tones.append((luma, orange, green))
        middle = luma - (green >> 1)
        blue = middle - (orange >> 1)
        colors.append(((blue + orange) & 255, (middle + green) & 255, blue & 255))
    if (at + 7) >> 3 != len(rest):
        raise InvalidSegment("its rest bits are too many")
    first = 2 - axis  # of u, v, w the one that is x
    turned = [(place + place)[first : first + 3] for place in places[REACH:]]
    return turned, colors


def _signed(number: int) -> int:
    """0, 1, 2, 3, ... as 0, -1, 1, -2, ..."""
    return number >> 1 ^ -(number & 1)


def _byte(number: int) -> int:
    """Into -128 ... 127, modulo 256."""
    return (number + 128 & 255) - 128


def _normals(u_plane: bytes, v_plane: bytes) -> List[Triple]:
    normals = []
    u = v = 0
    for u_delta, v_delta in zip(u_plane, v_plane):
        u, v = _byte(u + u_delta), _byte(v + v_delta)
        if u == -128 or v == -128:
            normals.append((0, 0, 0))
            continue
        x, y = u / 127, v / 127
        z = 1 - abs(x) - abs(y)
        if z < 0:
            x, y = (1 - abs(y)) * (-1 if x < 0 else 1), (1 - abs(x)) * (-1 if y < 0 else 1)
        length = math.sqrt(x * x + y * y + z * z)
        normals.append(tuple(math.floor(127 * part / length + 0.5) for part in (x, y, z)))
    return normals


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    data = sys.stdin.buffer.read() if sys.argv[1] == "-" else open(sys.argv[1], "rb").read()
    try:
        segment = decode(data)
    except InvalidSegment as error:
        sys.exit(f"not a segment: {error}")
    json.dump(segment.__dict__, sys.stdout, separators=(",", ":"))


if __name__ == "__main__":
    main()
