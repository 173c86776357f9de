"""Plain data with arrays, as bytes and back: what snapshots are written in. No class of ours is ever stored."""

import struct
import zlib
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np
import pyarrow as pa

from flows.errors import FlowError

VERSION: Final = 1
_ARRAY: Final = 1
_CODEC: Final = pa.Codec("lz4")
_MAGIC: Final = b"LWSN"
_FRAME: Final = struct.Struct("<QI")  # length, CRC-32


def pack(plain: Any) -> bytes:
    """Nested dicts, lists, numbers, words, bytes and arrays as compressed bytes."""
    raw = _ENCODER.encode(plain)
    squeezed: bytes = _CODEC.compress(raw, asbytes=True)
    return _MAGIC + bytes([VERSION]) + len(raw).to_bytes(8, "little") + squeezed


def unpack(data: bytes) -> Any:
    """What `pack` was given.

    Raises:
        FlowError: the bytes are of another version, or damaged.
    """
    if len(data) < 13 or data[:4] != _MAGIC or data[4] != VERSION:
        raise FlowError("a snapshot of another version, or damaged: start with an empty recovery folder")
    length = int.from_bytes(data[5:13], "little")
    return _DECODER.decode(_CODEC.decompress(data[13:], length, asbytes=True))


def frame(data: bytes) -> tuple[bytes, bytes]:
    """What stands in a file before some bytes (their length and checksum), and they themselves."""
    return _FRAME.pack(len(data), zlib.crc32(data)), data


def framed(file: BinaryIO) -> bytes:
    """The next framed bytes of a file.

    Raises:
        FlowError: they are not what was written.
    """
    head = file.read(_FRAME.size)
    size, checksum = _FRAME.unpack(head) if len(head) == _FRAME.size else (0, -1)
    data = file.read(size)
    if len(data) != size or zlib.crc32(data) != checksum:
        raise FlowError("it is damaged")
    return data


def _array_out(thing: Any) -> Any:
    if isinstance(thing, np.ndarray):
        kind: Any = _fields(thing.dtype) if thing.dtype.names else thing.dtype.str
        head = msgspec.msgpack.encode([kind, list(thing.shape)])
        whole = b"".join((len(head).to_bytes(4, "little"), head, np.ascontiguousarray(thing).data))
        return msgspec.msgpack.Ext(_ARRAY, whole)
    if isinstance(thing, np.generic):
        return thing.item()
    raise FlowError(f"{type(thing).__name__} cannot be written to a snapshot")


def _fields(dtype: np.dtype[Any]) -> dict[str, Any]:
    """A record's layout, padding and all."""
    names = list(dtype.names or ())
    fields: Any = dtype.fields or {}
    formats = [fields[name][0].str for name in names]
    offsets = [fields[name][1] for name in names]
    return {"names": names, "formats": formats, "offsets": offsets, "itemsize": dtype.itemsize}


def _array_in(code: int, data: memoryview) -> Any:
    if code != _ARRAY:
        raise FlowError(f"a snapshot holds data of kind {code}, which this version does not know")
    size = int.from_bytes(data[:4], "little")
    kind, shape = msgspec.msgpack.decode(data[4 : 4 + size])
    dtype = np.dtype(kind)
    return np.frombuffer(data[4 + size :], dtype=dtype).reshape(shape).copy()


_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=_array_out)
_DECODER: Final = msgspec.msgpack.Decoder(ext_hook=_array_in)
