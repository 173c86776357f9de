"""BLAKE2b's compression of eight messages at a time, one in each lane of the processor's wide registers.

A token's text fits into one block, and the 96 additions, exclusive-ors and turns of a block (RFC 7693 section 3.2)
are the same for every text. numba does not make wide registers of a loop so long, so it is written out here in the
compiler's own words; processors without such registers take the lanes in turn, with the same result.
"""

from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from events.kernels import njit

LANES: Final = 8
WORDS: Final = 16
"""Words of a block."""

_SIGMA: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
    (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
    (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
    (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
    (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
    (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
    (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
    (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
    (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
)
"""RFC 7693 section 2.7; the eleventh and twelfth round are the first and second again."""
_QUARTERS: Final = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip
_ROUNDS: Final = 12


def _compress(_context: Any, words: Any, start: Any, iv: Any, counted: Any, told: Any) -> Any:
    """The last block of eight messages: word by word in `words`, each lane's count of bytes, h[0] and h[1] out."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.VectorType(ir.IntType(64), LANES)

        def array_of(place: int) -> Any:
            held = context.make_array(signature.args[place])(context, builder, args[place])
            return held.data

        def lanes(data: Any, number: int) -> Any:
            at = builder.gep(data, [ir.Constant(ir.IntType(64), number * LANES)])
            return builder.bitcast(at, wide.as_pointer())

        def everywhere(data: Any, number: int) -> Any:
            one = builder.load(builder.gep(data, [ir.Constant(ir.IntType(64), number)]))
            first = builder.insert_element(
                ir.Constant(wide, ir.Undefined), one, ir.Constant(ir.IntType(32), 0)
            )
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            return builder.shuffle_vector(first, ir.Constant(wide, ir.Undefined), zeros)

        def word(name: str, takes: int) -> Any:
            kind = ir.FunctionType(wide, [wide] * takes)
            return cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}i64")  # type: ignore[no-untyped-call]

        turn, swap = word("fshr", 3), word("bswap", 1)

        def turned(x: Any, by: int) -> Any:
            return builder.call(turn, [x, x, ir.Constant(wide, [by] * LANES)])

        text, state, first, counts, out = (array_of(place) for place in range(5))
        m = [builder.load(lanes(text, k), align=8) for k in range(WORDS)]
        h = [everywhere(state, k) for k in range(8)]
        v = [*h, *(everywhere(first, k) for k in range(8))]
        v[12] = builder.xor(v[12], builder.load(lanes(counts, 0), align=8))
        v[14] = builder.xor(v[14], ir.Constant(wide, [2**64 - 1] * LANES))
        for number in range(_ROUNDS):
            order = _SIGMA[number % len(_SIGMA)]
            for quarter, (a, b, c, d) in enumerate(_QUARTERS):
                x, y = m[order[2 * quarter]], m[order[2 * quarter + 1]]
                v[a] = builder.add(builder.add(v[a], v[b]), x)
                v[d] = turned(builder.xor(v[d], v[a]), 32)
                v[c] = builder.add(v[c], v[d])
                v[b] = turned(builder.xor(v[b], v[c]), 24)
                v[a] = builder.add(builder.add(v[a], v[b]), y)
                v[d] = turned(builder.xor(v[d], v[a]), 16)
                v[c] = builder.add(v[c], v[d])
                v[b] = turned(builder.xor(v[b], v[c]), 63)
        for k in range(2):
            half = builder.xor(h[k], builder.xor(v[k], v[k + 8]))
            builder.store(builder.call(swap, [half]), lanes(out, k), align=8)
        return context.get_dummy_value()

    return types.void(words, start, iv, counted, told), codegen


_eight: Any = intrinsic(_compress)


@njit(cache=True, nogil=True)
def compress_eight(words, start, iv, counted, told):  # type: ignore[no-untyped-def]
    """Compress eight messages' only blocks; `told` is eight first halves, big end first, then eight second halves.

    `words` is 16 times eight: the first word of each message, then the second of each, and so on. `counted` says for
    each how many bytes were hashed up to its end.
    """
    _eight(words, start, iv, counted, told)
