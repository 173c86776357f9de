"""What history has to be walked through for: what is told of a row depends on what was told of the one before.

A running mean whose weight starts at 1 and falls to a floor, the few places remembered of an entity, and who still
owes whom an answer are recursions; columns of running sums and maxima cannot say them.
"""

import math

import numpy as np

from events.kernels import njit

_HOUR_US = 3_600_000_000
_EARTH_KM = 6_371.0
_SQUARE = 0.1  # degrees


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


@njit(cache=True)
def _night(ts):  # type: ignore[no-untyped-def]
    """The day in which a night's morning lies; -1 by day."""
    hour = ts // _HOUR_US % 24
    if 6 <= hour < 22:
        return -1
    day = ts // (24 * _HOUR_US)
    return day + 1 if hour >= 22 else day


@njit(cache=True)
def from_home(group, ts, lat, lon, room, enough):  # type: ignore[no-untyped-def]
    """Of each event, the kilometres from the middle of the square in which most nights were spent up to it."""
    n = len(ts)
    km = np.full(n, np.nan)
    rows, columns = np.zeros(room, dtype=np.int64), np.zeros(room, dtype=np.int64)
    nights, latest = np.zeros(room), np.zeros(room, dtype=np.int64)
    for i in range(n):
        if i == 0 or group[i] != group[i - 1]:
            nights[:] = 0.0
        if math.isnan(lat[i]) or math.isnan(lon[i]):
            continue
        night = _night(ts[i])
        if night >= 0:
            y, x = math.floor((lat[i] + 90.0) * 10.0), math.floor((lon[i] + 180.0) * 10.0)
            found = np.flatnonzero((rows == y) & (columns == x) & (nights > 0.0))
            place = found[0] if len(found) else np.argmin(nights)
            if not len(found) or latest[place] != night:
                nights[place] += 1.0
            rows[place], columns[place], latest[place] = y, x, night
        home = np.argmax(nights)
        if nights[home] >= enough:
            south, west = (rows[home] + 0.5) * _SQUARE - 90.0, (columns[home] + 0.5) * _SQUARE - 180.0
            km[i] = _apart(lat[i], lon[i], south, west)
    return km


@njit(cache=True)
def _apart(lat, lon, lat2, lon2):  # type: ignore[no-untyped-def]
    """Kilometres between two points: the angle between two arrows from the middle of the earth."""
    a, b, c = math.radians(lat), math.radians(lat2), math.radians(lon2 - lon)
    across = math.hypot(
        math.cos(b) * math.sin(c), math.cos(a) * math.sin(b) - math.sin(a) * math.cos(b) * math.cos(c)
    )
    along = math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(c)
    return _EARTH_KM * math.atan2(across, along)


@njit(cache=True)
def trips(group, ts, km, far):  # type: ignore[no-untyped-def]
    """Which events show somebody back who had been far away."""
    back = np.zeros(len(ts), dtype=np.bool_)
    away, latest = False, np.int64(0)
    for i in range(len(ts)):
        if i == 0 or group[i] != group[i - 1]:
            away, latest = False, np.int64(0)
        if math.isnan(km[i]) or ts[i] < latest:
            continue
        latest = ts[i]
        if km[i] >= far:
            away = True
        elif away and km[i] <= far / 2.0:
            away, back[i] = False, True
    return back


@njit(cache=True)
def nights_out(group, ts, km, far):  # type: ignore[no-untyped-def]
    """Which events are the first of a night spent far away."""
    first = np.zeros(len(ts), dtype=np.bool_)
    latest = np.int64(0)
    for i in range(len(ts)):
        if i == 0 or group[i] != group[i - 1]:
            latest = np.int64(0)
        night = _night(ts[i])
        if night > latest and km[i] >= far:
            latest, first[i] = night, True
    return first
