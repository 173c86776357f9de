"""The Handbook's protocol: which payments are tested, and by which measures.

Le Borgne, Siblini, Lebichot and Bontempi, *Reproducible Machine Learning for Credit Card Fraud Detection*, chapters 3
to 5: four test weeks, each after a week of training and a week of delay. A test day leaves out cards that are known to
be compromised by then: a fraud in the training week, or up to eight days before. Average precision and ROC AUC are
over payments; card precision is the share of a day's 100 highest cards that are compromised that day, cards found on
earlier days being left out, as a mean over the days of the week.
"""

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WEEK: Final = 7
TOP: Final = 100
TESTS_FROM: Final = 129
"""The first test day of the published table, in days after the first of the data (2018-04-01): 2018-08-08."""
WEEKS: Final = 4
CHOSEN_FROM: Final = TESTS_FROM - WEEKS * WEEK
"""Four earlier weeks, ending before: settings are chosen on these."""


class Measures(msgspec.Struct, frozen=True):
    """How well one week, or the mean or spread of several, was ranked."""

    auc: float
    ap: float
    cp100: float


class Week(msgspec.Struct, frozen=True):
    """One tested week: its measures and its size."""

    measures: Measures
    payments: int
    frauds: int


def tested(day: Ints, holder: Ints, right: Floats, start: int) -> Ints:
    """The payments of a test week that begins on day `start`."""
    trained = (day >= start - 2 * WEEK) & (day < start - WEEK)
    known = set(holder[trained & (right > 0)].tolist())
    found = []
    for today in range(start, start + WEEK):
        known |= set(holder[(day == today - WEEK - 1) & (right > 0)].tolist())
        at = np.flatnonzero(day == today)
        found.append(at[~np.isin(holder[at], list(known))])
    return np.concatenate(found)


def card_precision(day: Ints, holder: Ints, right: Floats, score: Floats, top: int = TOP) -> float:
    """Mean over the days of the share of the day's highest cards that are compromised."""
    found: set[int] = set()
    shares = []
    for today in np.unique(day):
        at = np.flatnonzero((day == today) & ~np.isin(holder, list(found)))
        ranked = at[np.lexsort((holder[at], -score[at]))]
        cards = holder[ranked]
        _, firsts = np.unique(cards, return_index=True)
        highest = set(cards[np.sort(firsts)[:top]].tolist())
        hits = highest & set(holder[at[right[at] > 0]].tolist())
        shares.append(len(hits) / top)
        found |= hits
    return float(np.mean(shares))


def measured(day: Ints, holder: Ints, right: Floats, score: Floats, start: int) -> Week:
    """A test week's measures."""
    at = tested(day, holder, right, start)
    y, s = right[at], score[at]
    measures = Measures(
        float(roc_auc_score(y, s)),
        float(average_precision_score(y, s)),
        card_precision(day[at], holder[at], y, s),
    )
    return Week(measures, len(at), int(y.sum()))


def table(
    day: Ints, holder: Ints, right: Floats, score: Floats, first: int = TESTS_FROM, weeks: int = WEEKS
) -> tuple[Measures, Measures, list[Week]]:
    """Mean and spread (standard deviation) over test weeks, and the weeks."""
    found = [measured(day, holder, right, score, first + WEEK * k) for k in range(weeks)]
    values = np.array([msgspec.structs.astuple(week.measures) for week in found])
    return Measures(*values.mean(axis=0).tolist()), Measures(*values.std(axis=0).tolist()), found
