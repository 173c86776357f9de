"""What history has to be walked through for: what is told of a row depends on what was told of the one before.

A running mean whose weight starts at 1 and falls to a floor, the few places remembered of an entity, and who still
owes whom an answer are recursions; columns of running sums and maxima cannot say them.
"""

import numpy as np

from events.kernels import njit


@njit(cache=True)
def past(group, values, alpha):  # type: ignore[no-untyped-def]
    """Before each value: how many came before it in its group, their running mean and running mean square."""
    n = len(values)
    number, mean, square = np.zeros(n), np.zeros(n), np.zeros(n)
    k, m, q = 0.0, 0.0, 0.0
    for i in range(n):
        if i == 0 or group[i] != group[i - 1]:
            k, m, q = 0.0, 0.0, 0.0
        number[i], mean[i], square[i] = k, m, q
        k += 1.0
        weight = max(1.0 / k, alpha)
        m = (1.0 - weight) * m + weight * values[i]
        q = (1.0 - weight) * q + weight * values[i] * values[i]
    return number, mean, square


@njit(cache=True)
def commonest(group, values, room):  # type: ignore[no-untyped-def]
    """After each value: the commonest of the few remembered in its group, and its share of all."""
    n = len(values)
    which, share = np.zeros(n), np.zeros(n)
    names, counts = np.zeros(room), np.zeros(room)
    for i in range(n):
        if i == 0 or group[i] != group[i - 1]:
            names[:] = 0.0
            counts[:] = 0.0
        found = np.flatnonzero((names == values[i]) & (counts > 0.0))
        place = found[0] if len(found) else np.argmin(counts)
        names[place] = values[i]
        counts[place] += 1.0
        best = np.argmax(counts)
        which[i] = names[best]
        share[i] = counts[best] / counts.sum()
    return which, share


@njit(cache=True)
def answers(pair, ts, clock, asks, replies, gap, lifetime):  # type: ignore[no-untyped-def]
    """Which events of pairs are answers: within `gap` of the latest asking, and the first since it."""
    counted = np.zeros(len(ts), dtype=np.bool_)
    asked, answered = np.int64(-1), np.int64(-1)
    for i in range(len(ts)):
        if i == 0 or pair[i] != pair[i - 1] or asked + lifetime < clock[i]:
            asked, answered = np.int64(-1), np.int64(-1)
        if replies[i] and asked >= 0 and 0 <= ts[i] - asked <= gap and answered < asked:
            answered = ts[i]
            counted[i] = True
        if asks[i]:
            asked = max(asked, ts[i])
    return counted
