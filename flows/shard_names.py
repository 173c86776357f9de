"""Names for shards, chosen so that the engine spreads the work evenly.

Bytewax sends a key to worker `hash(key) % workers`, where the hash is SipHash-1-3 with zero keys over the key's bytes
and a closing 0xff (Rust's default hasher of a string). Left to chance, 64 shards on 8 workers load the fullest 1.4
times the mean. Where the number of workers is not known, a shard's name is the first whose hash ends in the shard's
number: even over any power of two. Where it is, the first worker gets fewer shards than the others, for it reads.
"""

from collections.abc import Sequence
from functools import cache
from typing import Final

READING: Final = 0.3
"""Which part of a flow's work is its first worker's alone: reading, splitting, and what is in one place behind the
passes (measured with `linewatch bench both`, NDJSON; 0.25 of Parquet)."""
_MASK: Final = (1 << 64) - 1


def _turn(value: int, by: int) -> int:
    return ((value << by) | (value >> (64 - by))) & _MASK


def _sip_round(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    a = (a + b) & _MASK
    b = _turn(b, 13) ^ a
    a = _turn(a, 32)
    c = (c + d) & _MASK
    d = _turn(d, 16) ^ c
    a = (a + d) & _MASK
    d = _turn(d, 21) ^ a
    c = (c + b) & _MASK
    b = _turn(b, 17) ^ c
    return a, b, _turn(c, 32), d


def sip13(data: bytes) -> int:
    """SipHash-1-3 of bytes, both keys zero (Aumasson and Bernstein 2012)."""
    state = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    tail = len(data) % 8
    words = [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data) - tail, 8)]
    words.append(int.from_bytes(data[len(data) - tail :], "little") | ((len(data) & 0xFF) << 56))
    for word in words:
        a, b, c, d = state
        a, b, c, d = _sip_round(a, b, c, d ^ word)
        state = (a ^ word, b, c, d)
    a, b, c, d = state
    state = (a, b, c ^ 0xFF, d)
    for _ in range(3):
        state = _sip_round(*state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def seats(shards: int, workers: int) -> tuple[int, ...]:
    """Which worker each shard is to be at, so that all have as much to do: the first reads beside its shards."""
    first = shards * max(0.0, 1 / workers - READING) / (1 - READING)
    others = max(1, workers - 1)
    mine = shards if workers == 1 else round(first)
    return tuple(0 if shard < mine else 1 + (shard - mine) % others for shard in range(shards))


def shard_names(what: str, shards: int, seated: Sequence[int] = (), workers: int = 1) -> tuple[str, ...]:
    """One name for each shard of a hop; `shards` is a power of two.

    With `seated` the engine puts each shard where it says, as long as there are so many workers.
    """
    at, of = (tuple(seated), workers) if seated else (tuple(range(shards)), shards)
    return _names(what, at, of)


@cache
def _names(what: str, at: tuple[int, ...], of: int) -> tuple[str, ...]:
    names = []
    for shard, seat in enumerate(at):
        attempt = 0
        while sip13(f"{what}-{shard:03d}-{attempt}".encode() + b"\xff") % of != seat:
            attempt += 1
        names.append(f"{what}-{shard:03d}-{attempt}")
    return tuple(names)


def shard_of(name: str) -> int:
    """The number of a shard from its name."""
    return int(name.split("-")[1])


def plain_name(name: str) -> str:
    """A shard's name whatever the number of workers: its hop and its number."""
    return "-".join(name.split("-")[:2])
