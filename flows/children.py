"""Who is a child, also where the record at hand does not say so: an earlier one did.

A child is a possible victim first, whatever the score and whichever record brings it about: money paid in says how old
the payee is, money sent on often does not. Age decides who is told and what an alert is called; no score takes it in.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from events.codes import AGE_BANDS, code_of
from features.rows import Entity, Flag, Rows

MINORS: Final = (code_of(AGE_BANDS, "u16"), code_of(AGE_BANDS, "16-17"))
"""The age bands of those under 18."""
AGES: Final = {Entity.ACCOUNT: "holder_age"}
"""The column that says how old an entity's holder last was said to be."""


def told_of_children(rows: Rows, ages: npt.NDArray[np.float64]) -> Rows:
    """The rows with those flagged whose holder is known to be under 18."""
    children = (ages == MINORS[0]) | (ages == MINORS[1])
    if not children.any():
        return rows
    told = rows.copy()
    told["flags"][children] |= int(Flag.MINOR)
    return told
