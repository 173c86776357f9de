"""What the processor can do and Python has no word for: asking memory ahead, finding the lowest bit.

A shard's rows touch entities at random, and an entity's state is some thirty cache lines that are rarely in the
cache. Asked for a few rows ahead, they are there in time; the values read do not depend on it.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _fetch(_context: Any, array: Any, at: Any) -> Any:
    """Ask for the cache line at a byte offset in an array; does nothing else."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, args[0])
        address = builder.add(builder.ptrtoint(held.data, ir.IntType(64)), args[1])
        pointer = builder.inttoptr(address, ir.PointerType(ir.IntType(8)))
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, kind, "llvm.prefetch.p0"
        )
        builder.call(function, [pointer, number(1), number(3), number(1)])  # for writing, keep, data
        return context.get_dummy_value()

    return types.void(array, types.int64), codegen


fetch: Any = intrinsic(_fetch)
"""`fetch(array, byte)` within a kernel."""


def _lowest(_context: Any, bits: Any) -> Any:
    """The place of the lowest bit that is set."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


lowest: Any = intrinsic(_lowest)
"""`lowest(bits)` within a kernel: the place of the lowest bit of a number that is not 0."""
