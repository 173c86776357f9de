"""The kernel that keeps features: it walks role rows in order, reads and changes each entity's row of state.

One entity's state is one row of float64 (times in microseconds fit exactly below 2**53). What is remembered of pairs
is one hash table a shard. Everything happens in the order of the rows and with sums in one fixed order, so the same
rows give the same bits however they were batched.
"""

import math

import numpy as np
import numpy.typing as npt

from events.kernels import njit
from features.prefetch import fetch, lowest
from features.program import (
    AGE,
    AWAY_KM,
    BURSTS,
    DEVIATION,
    DISTINCT,
    ENOUGH_NIGHTS,
    HAPPENING,
    HEADER,
    HOUR_BINS,
    HOURS,
    JOURNEYS,
    KNOWN,
    LAST,
    LISTED,
    MEAN,
    NIGHTS,
    NIGHTS_AWAY,
    NOVELTY,
    PAIR_AGE,
    PAIR_COUNT,
    PAIR_SINCE,
    PAIR_TOTAL,
    PAST,
    PLACE,
    PLACE_SHARE,
    PLACE_SLOTS,
    PLACES,
    RATIO,
    REPLIES,
    RETURNING,
    RING_MAX,
    RING_MIN,
    RING_SUM,
    SINCE,
    SPREAD,
    V_AGE,
    V_BALANCE,
    V_BORN,
    V_DEVICE_ID,
    V_FORCE,
    V_HOME,
    V_ONE,
    V_OTHER,
    V_OTHER_ID,
    V_PLACE_ID,
    V_PREPAID,
    V_SIM_ID,
    V_SINCE,
    V_THIRD_ID,
    V_UNTIL,
    V_VALUE,
    VALUE,
    WINDOW_MAX,
    WINDOW_MIN,
)
from features.rows import Flag, Kind, Role

PAIR = np.dtype(
    [
        ("other", "u8"),
        ("first", "i8"),
        ("last", "i8"),
        ("replied", "i8"),
        ("total", "f8"),
        ("slot", "i4"),  # -1: free
        ("count", "u2"),
        ("relation", "u1"),
        ("returned", "u1"),
    ]
)
"""What is remembered of one pair: 48 bytes."""

_PAIR_BYTES = PAIR.itemsize
_LINE = 64
_STATE_AHEAD = 4
_PAIRS_AHEAD = 8
_TABLE_AHEAD = 8
_REGROW_AHEAD = 16
_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
_PREPAID = int(Flag.PREPAID)
_PEEK = int(Role.PEEK)
_LISTS = (int(Kind.LINK), int(Kind.WATCH))
_ID_BITS = (1 << 52) - 1
_NEVER = -1
_MOST_COUNTED = 65_535
_NIGHT_FROM_MIDNIGHT = 2 * _HOUR_US  # a night is from 22:00 to 06:00 UTC
_NIGHT_US = 8 * _HOUR_US
_SQUARES_A_DEGREE = 10.0
_SQUARES_ROUND = 3_601  # squares of longitude, with those at either end of it
_EARTH_KM = 6_371.0
_ALIKE = 1e-10  # of the squared mean: a spread below a hundred-thousandth may be rounding
_ENOUGH_PAST = 5.0  # a deviation needs a past: fewer events than this tell nothing of what is usual
_SD_FLOOR = (
    0.05  # of the value, or of its logarithm: a past without any spread must not make small changes enormous
)


@njit(cache=True, inline="always")
def _mix(slot, relation, other):  # type: ignore[no-untyped-def]
    """A hash of a pair (the finaliser of SplitMix64)."""
    z = (
        np.uint64(other)
        ^ (np.uint64(slot) * np.uint64(0x9E3779B97F4A7C15))
        ^ (np.uint64(relation + 1) * np.uint64(0xC2B2AE3D27D4EB4F))
    )
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def find_pair(pairs, slot, relation, other):  # type: ignore[no-untyped-def]
    """Where a pair is, or where it would go."""
    mask = np.uint64(len(pairs) - 1)
    at = _mix(slot, relation, other) & mask
    while True:
        if pairs[at].slot < 0:
            return np.int64(at)
        if pairs[at].slot == slot and pairs[at].relation == relation and pairs[at].other == other:
            return np.int64(at)
        at = (at + np.uint64(1)) & mask


def free_pairs(room: int) -> npt.NDArray[np.void]:
    """A table with room for so many pairs."""
    pairs = np.empty(room, dtype=PAIR)
    _set_free(pairs)
    return pairs


@njit(cache=True)
def _set_free(pairs):  # type: ignore[no-untyped-def]
    for i in range(len(pairs)):
        pairs[i].slot = -1


@njit(cache=True)
def fill_table(hi, lo, table_hi, table_lo, table_slot):  # type: ignore[no-untyped-def]
    """Put entities, in the order of their slots, into an empty table."""
    mask = np.uint64(len(table_slot) - 1)
    for i in range(len(hi)):
        at = (lo[i] ^ (lo[i] >> np.uint64(32)) ^ hi[i]) & mask
        while table_slot[at] >= 0:
            at = (at + np.uint64(1)) & mask
        table_hi[at], table_lo[at], table_slot[at] = hi[i], lo[i], i


@njit(cache=True)
def regrow_pairs(old, new, slot_of, state, lifetimes):  # type: ignore[no-untyped-def]
    """Copy the living pairs into a larger table; `slot_of` says where each entity's row is now (-1: gone)."""
    used = 0
    mask = np.uint64(len(new) - 1)
    width = state.shape[1] * 8
    for i in range(len(old)):
        if i + _REGROW_AHEAD < len(old) and old[i + _REGROW_AHEAD].slot >= 0:
            soon = old[i + _REGROW_AHEAD]
            there = slot_of[soon.slot]
            if there >= 0:
                fetch(state, there * width)
                fetch(new, np.int64(_mix(there, soon.relation, soon.other) & mask) * _PAIR_BYTES)
        slot = old[i].slot
        if slot < 0:
            continue
        now = slot_of[slot]
        if now < 0 or old[i].last + lifetimes[old[i].relation] < np.int64(state[now, 0]):
            continue
        at = find_pair(new, now, old[i].relation, old[i].other)
        new[at] = old[i]
        new[at].slot = now
        used += 1
    return used


@njit(cache=True, inline="always")
def _id(token):  # type: ignore[no-untyped-def]
    """A token as an exact number; absent when there is none."""
    return np.float64(token & np.uint64(_ID_BITS)) if token != 0 else np.nan


@njit(cache=True, inline="always")
def _value(row, source, arg, x, i, state, s):  # type: ignore[no-untyped-def]
    if source == V_ONE:
        return 1.0
    if source == V_VALUE:
        return row.value
    if source == V_BALANCE:
        return row.balance
    if source == V_BORN:
        return row.born
    if source == V_HOME:
        return np.float64(row.home) if row.home > 0 else np.nan
    if source == V_FORCE:
        return np.float64(row.force) if row.force > 0 else np.nan
    if source == V_AGE:
        return np.float64(row.age) if row.age > 0 else np.nan
    if source == V_PREPAID:
        return 1.0 if (row.flags & _PREPAID) != 0 else 0.0
    if source == V_SINCE:
        last = state[s, arg]
        return (row.ts - last) / 1e6 if 0.0 < last <= row.ts else np.nan
    if source == V_OTHER:
        return x[i, arg]
    if source == V_UNTIL:
        return row.value if row.kind == _LISTS[0] or row.kind == _LISTS[1] else np.nan
    if source == V_OTHER_ID:
        return _id(row.other_lo)
    if source == V_DEVICE_ID:
        return _id(row.device_lo)
    if source == V_SIM_ID:
        return _id(row.sim_lo)
    if source == V_PLACE_ID:
        return _id(row.place_lo)
    if source == V_THIRD_ID:
        return _id(row.third_lo)
    return np.nan


@njit(cache=True, inline="always")
def _bucket(ts, every):  # type: ignore[no-untyped-def]
    """The bucket an instant lies in; instants are after 1970, and division without a sign is quicker."""
    return np.int64(np.uint64(ts) // np.uint64(every))


@njit(cache=True, inline="always")
def _place_of(b, buckets):  # type: ignore[no-untyped-def]
    """Where in its ring a bucket is."""
    return np.int64(np.uint64(b) % np.uint64(buckets))


@njit(cache=True, inline="always")
def _open_bucket(state, s, base, buckets, b, empty):  # type: ignore[no-untyped-def]
    """Move a ring on to bucket `b` and say whether `b` is still held."""
    head = np.int64(state[s, base])
    if head == 0:
        state[s, base] = b
        for k in range(buckets):
            state[s, base + 1 + k] = empty
        return True
    if b > head:
        first = max(head + 1, b - buckets + 1)
        at = _place_of(first, buckets)
        for _ in range(first, b + 1):
            state[s, base + 1 + at] = empty
            at += 1
            if at == buckets:
                at = 0
        state[s, base] = b
        return True
    return b > head - buckets


@njit(cache=True, inline="always")
def _window_sum(state, s, base, buckets, window, now):  # type: ignore[no-untyped-def]
    head = np.int64(state[s, base])
    total = 0.0
    if head == 0:
        return total
    first = max(now - window + 1, head - buckets + 1)
    if first > head:
        return total
    at = _place_of(first, buckets)
    for _ in range(first, min(head, now) + 1):
        total += state[s, base + 1 + at]
        at += 1
        if at == buckets:
            at = 0
    return total


@njit(cache=True, inline="always")
def _window_extreme(state, s, base, buckets, window, now, sign):  # type: ignore[no-untyped-def]
    head = np.int64(state[s, base])
    best = -np.inf
    if head == 0:
        return np.nan
    for k in range(max(now - window + 1, head - buckets + 1), min(head, now) + 1):
        best = max(best, sign * state[s, base + 1 + _place_of(k, buckets)])
    return sign * best if best > -np.inf else np.nan


@njit(cache=True, inline="always")
def _spread_of(mean, square):  # type: ignore[no-untyped-def]
    """Standard deviation over mean, from the mean and the mean square."""
    if mean * mean <= _ALIKE * square:
        return np.nan
    spread = square - mean * mean
    return math.sqrt(spread) / abs(mean) if spread > _ALIKE * mean * mean else 0.0


@njit(cache=True, inline="always")
def _take_place(state, s, base, code):  # type: ignore[no-untyped-def]
    """Count a force among the few remembered (space-saving: the rarest gives way to a new one)."""
    rarest = 0
    for k in range(PLACE_SLOTS):
        if state[s, base + 2 * k] == code:
            state[s, base + 2 * k + 1] += 1.0
            return
        if state[s, base + 2 * k + 1] < state[s, base + 2 * rarest + 1]:
            rarest = k
    state[s, base + 2 * rarest] = code
    state[s, base + 2 * rarest + 1] += 1.0


@njit(cache=True, inline="always")
def _chosen(row, selections, parts, x, i, state, s):  # type: ignore[no-untyped-def]
    """Which selections an event belongs to, as bits."""
    bits = np.uint64(0)
    left = parts[row.kind, row.role]
    if left == 0:
        return bits
    status = np.uint32(1) << np.uint32(row.status)
    hour = np.uint32(1) << np.uint32((row.ts // _HOUR_US) % 24)
    while left != 0:
        j = lowest(left)
        left &= left - np.uint64(1)
        sel = selections[j]
        if (
            (sel.statuses & status) == 0
            or (row.flags & sel.having) != sel.having
            or (row.flags & sel.lacking) != 0
            or (sel.hours & hour) == 0
        ):
            continue
        if sel.compare != 0:
            v = _value(row, sel.source, sel.arg, x, i, state, s)
            if math.isnan(v) or (sel.compare == 1 and v < sel.bound) or (sel.compare == 2 and v > sel.bound):
                continue
        bits |= np.uint64(1) << np.uint64(j)
    return bits


@njit(cache=True, inline="always")
def _party(row, field):  # type: ignore[no-untyped-def]
    """Who or what a pair is made with; 0 when the row does not say."""
    if field == 0:
        return row.other_lo
    if field == 1:
        return row.device_lo
    if field == 2:
        return row.sim_lo
    if field == 3:
        return row.place_lo
    return row.third_lo


@njit(cache=True, inline="always")
def _logged(v, log):  # type: ignore[no-untyped-def]
    return math.log1p(max(v, 0.0)) if log else v


@njit(cache=True, inline="always")
def _ask_ahead(rows, slots, i, state, width, pairs, mask, relations, parts):  # type: ignore[no-untyped-def]
    """Ask memory for the state of an entity, and the pairs, of rows that come soon."""
    ahead = i + _STATE_AHEAD
    if ahead < len(rows) and slots[ahead] >= 0:
        base = slots[ahead] * width
        for line in range(0, width, _LINE):
            fetch(state, base + line)
    ahead = i + _PAIRS_AHEAD
    if ahead < len(rows) and slots[ahead] >= 0:
        possible = parts[rows[ahead].kind, rows[ahead].role]
        for r in range(len(relations) if possible != 0 else 0):
            if (possible >> np.uint64(relations[r].selection)) & np.uint64(1) == 0:
                continue
            other = _pair_field(rows[ahead], relations[r].field)
            if other != 0:
                at = _mix(slots[ahead], r, other) & mask
                fetch(pairs, np.int64(at) * _PAIR_BYTES)


@njit(cache=True, inline="always")
def _pair_field(row, field):  # type: ignore[no-untyped-def]
    if field == 0:
        return row.other_lo
    if field == 1:
        return row.device_lo
    if field == 2:
        return row.sim_lo
    if field == 3:
        return row.place_lo
    return row.third_lo


@njit(cache=True, inline="always")
def _night_of(ts):  # type: ignore[no-untyped-def]
    """Which night an event falls in, counted in days; -1 by day."""
    since = ts + _NIGHT_FROM_MIDNIGHT
    return since // _DAY_US if since % _DAY_US < _NIGHT_US else -1


@njit(cache=True, inline="always")
def _take_night(row, state, s, base, night):  # type: ignore[no-untyped-def]
    """Count a square once a night among the few remembered: (square, nights, last night) each."""
    y = math.floor((np.float64(row.lat) + 90.0) * _SQUARES_A_DEGREE)
    square = y * _SQUARES_ROUND + math.floor((np.float64(row.lon) + 180.0) * _SQUARES_A_DEGREE) + 1.0
    rarest = base
    for k in range(base, base + 3 * PLACE_SLOTS, 3):
        if state[s, k] == square:
            if state[s, k + 2] != night:
                state[s, k + 1] += 1.0
                state[s, k + 2] = night
            return
        if state[s, k + 1] < state[s, rarest + 1]:
            rarest = k
    state[s, rarest] = square
    state[s, rarest + 1] += 1.0
    state[s, rarest + 2] = night


@njit(cache=True)
def kilometres(lat, lon, lat2, lon2):  # type: ignore[no-untyped-def]
    """Along a great circle (haversine)."""
    a, b = math.radians(lat), math.radians(lat2)
    half = math.sin((b - a) / 2.0) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(lon2 - lon) / 2.0) ** 2
    return 2.0 * _EARTH_KM * math.asin(math.sqrt(min(1.0, half)))


@njit(cache=True)
def _away(lat, lon, state, s, base):  # type: ignore[no-untyped-def]
    """How far from the middle of the usual night place's square; absent when either is not known."""
    best = base
    for k in range(base + 3, base + 3 * PLACE_SLOTS, 3):
        if state[s, k + 1] > state[s, best + 1]:
            best = k
    if state[s, best + 1] < ENOUGH_NIGHTS or math.isnan(lat) or math.isnan(lon):
        return np.nan
    square = np.int64(state[s, best]) - 1
    y = (square // _SQUARES_ROUND + 0.5) / _SQUARES_A_DEGREE - 90.0
    x = (square % _SQUARES_ROUND + 0.5) / _SQUARES_A_DEGREE - 180.0
    return kilometres(lat, lon, y, x)


@njit(cache=True)
def advance(  # type: ignore[no-untyped-def]
    rows,
    slots,
    x,
    state,
    pairs,
    used,
    selections,
    parts,
    relations,
    cells,
    cell_parts,
    cell_bits,
    reads,
    peeks,
    everys,
    out,
):
    """Take rows in order: what was known before, what changes, what is known now. Gives (pairs used, rows too late).

    `reads` are those of what was known before, of windows, and the rest; `peeks` the same for rows that only look.
    """
    n_rel = len(relations)
    nows = np.empty(len(everys), dtype=np.int64)
    buckets_of = np.empty(len(everys), dtype=np.int64)
    words = cell_parts.shape[2]
    at_pair = np.empty(max(n_rel, 1), dtype=np.int64)
    old_last = np.empty(max(n_rel, 1), dtype=np.int64)
    late_rows = 0
    mask = np.uint64(len(pairs) - 1)
    width = state.shape[1] * 8
    for i in range(len(rows)):
        _ask_ahead(rows, slots, i, state, width, pairs, mask, relations, parts)
        row = rows[i]
        s = slots[i]
        if s < 0:  # looked at, but never seen
            out[i, :] = np.nan
            continue
        clock = max(np.int64(state[s, 0]), row.ts)
        bits = _chosen(row, selections, parts, x, i, state, s)
        late = False
        reads_before, reads_windows, reads_rest = reads
        if row.role == _PEEK:
            reads_before, reads_windows, reads_rest = peeks
            out[i, :] = np.nan

        for r in range(n_rel):
            at_pair[r] = -1
            old_last[r] = _NEVER
            rel = relations[r]
            if (bits >> np.uint64(rel.selection)) & np.uint64(1) == 0:
                continue
            other = _party(row, rel.field)
            if other == 0:
                continue
            at = find_pair(pairs, s, r, other)
            if pairs[at].slot < 0:
                pairs[at].slot = s
                pairs[at].relation = r
                pairs[at].other = other
                pairs[at].first = row.ts
                pairs[at].last = _NEVER
                pairs[at].replied = _NEVER
                pairs[at].returned = 0
                pairs[at].count = 0
                pairs[at].total = 0.0
                used += 1
            elif pairs[at].last + rel.lifetime < clock:  # forgotten: as if never seen
                pairs[at].first = row.ts
                pairs[at].last = _NEVER
                pairs[at].replied = _NEVER
                pairs[at].returned = 0
                pairs[at].count = 0
                pairs[at].total = 0.0
            at_pair[r] = at
            old_last[r] = pairs[at].last

        for j in range(len(reads_before)):
            read = reads_before[j]
            code = read.code
            value = np.nan
            if code == SINCE:
                last = state[s, read.base]
                if last > 0.0:
                    value = (clock - last) / 1e6
            elif code == NOVELTY:
                if at_pair[read.relation] >= 0:
                    value = 1.0 if old_last[read.relation] == _NEVER else 0.0
            elif code == PAIR_AGE:
                if at_pair[read.relation] >= 0:
                    value = max(0.0, (row.ts - pairs[at_pair[read.relation]].first) / _DAY_US)
            elif code == PAIR_COUNT:
                if at_pair[read.relation] >= 0:
                    value = np.float64(pairs[at_pair[read.relation]].count)
            elif code == PAIR_TOTAL:
                if at_pair[read.relation] >= 0:
                    value = pairs[at_pair[read.relation]].total
            elif code == PAIR_SINCE:
                if at_pair[read.relation] >= 0 and old_last[read.relation] != _NEVER:
                    value = max(0.0, (row.ts - old_last[read.relation]) / 1e6)
            elif code == DEVIATION:
                if (bits >> np.uint64(read.selection)) & np.uint64(1) != 0:
                    v = _logged(_value(row, read.source, read.arg, x, i, state, s), read.log)
                    if state[s, read.base] >= _ENOUGH_PAST and not math.isnan(v):
                        m = state[s, read.base + 1]
                        floor = _SD_FLOOR * max(abs(m), 1e-9)
                        spread = max(state[s, read.base + 2] - m * m, floor * floor)
                        value = (v - m) / math.sqrt(spread)
            elif (bits >> np.uint64(read.selection)) & np.uint64(1) != 0:  # USUAL_HOUR
                total = 0.0
                for k in range(HOUR_BINS):
                    total += state[s, read.base + k]
                bin_ = ((row.ts // _HOUR_US) % 24) // (24 // HOUR_BINS)
                value = (state[s, read.base + bin_] + 1.0) / (total + HOUR_BINS)
            out[i, read.column] = value

        if bits != 0:
            for j in range(len(everys)):
                buckets_of[j] = _bucket(row.ts, everys[j])
        for word in range(words if bits != 0 else 0):
            left = cell_parts[row.kind, row.role, word]
            while left != 0:
                j = lowest(left) + 64 * word
                left &= left - np.uint64(1)
                if (bits & cell_bits[j]) == 0:
                    continue
                cell = cells[j]
                code = cell.code
                base = cell.base
                if code == RING_SUM:
                    v = _value(row, cell.source, cell.arg, x, i, state, s)
                    if math.isnan(v):
                        continue
                    b = buckets_of[cell.clock]
                    if _open_bucket(state, s, base, cell.buckets, b, 0.0):
                        # by `number`: the value, how many there are, or their squares
                        taken = v if cell.number == 0.0 else (1.0 if cell.number == 1.0 else v * v)
                        state[s, base + 1 + _place_of(b, cell.buckets)] += taken
                    else:
                        late = True
                elif code == DISTINCT or code == RETURNING:
                    at = at_pair[cell.relation]
                    if at < 0:
                        continue
                    before = old_last[cell.relation]
                    if before != _NEVER and row.ts <= before:
                        continue
                    b = buckets_of[cell.clock]
                    counted = before != _NEVER
                    counts = True
                    if code == RETURNING:
                        counted = counted and pairs[at].returned == 1
                        if before != _NEVER and row.ts - before >= cell.gap:
                            pairs[at].returned = 1
                        counts = pairs[at].returned == 1
                    if counts and _open_bucket(state, s, base, cell.buckets, b, 0.0):
                        state[s, base + 1 + _place_of(b, cell.buckets)] += 1.0
                    elif counts:
                        late = True
                    if counted:
                        b_old = _bucket(before, cell.every)
                        if b_old > np.int64(state[s, base]) - cell.buckets:
                            state[s, base + 1 + _place_of(b_old, cell.buckets)] -= 1.0
                elif code == LAST:
                    state[s, base] = max(state[s, base], np.float64(row.ts))
                elif code == KNOWN:
                    v = _value(row, cell.source, cell.arg, x, i, state, s)
                    if not math.isnan(v) and np.float64(row.ts) >= state[s, base]:
                        state[s, base] = row.ts
                        state[s, base + 1] = v
                elif code == PAST:
                    v = _logged(_value(row, cell.source, cell.arg, x, i, state, s), cell.log)
                    if math.isnan(v):
                        continue
                    state[s, base] += 1.0
                    a = max(1.0 / state[s, base], cell.number)
                    state[s, base + 1] += a * (v - state[s, base + 1])
                    state[s, base + 2] += a * (v * v - state[s, base + 2])
                elif code == HOURS:
                    state[s, base + ((row.ts // _HOUR_US) % 24) // (24 // HOUR_BINS)] += 1.0
                elif code == PLACES:
                    v = _value(row, cell.source, cell.arg, x, i, state, s)
                    if not math.isnan(v):
                        _take_place(state, s, base, v)
                elif code == RING_MAX or code == RING_MIN:
                    v = _value(row, cell.source, cell.arg, x, i, state, s)
                    if math.isnan(v):
                        continue
                    b = buckets_of[cell.clock]
                    empty = -np.inf if code == RING_MAX else np.inf
                    if _open_bucket(state, s, base, cell.buckets, b, empty):
                        k = base + 1 + _place_of(b, cell.buckets)
                        state[s, k] = max(state[s, k], v) if code == RING_MAX else min(state[s, k], v)
                    else:
                        late = True
                elif code == REPLIES:
                    rel = relations[cell.relation]
                    other = _party(row, rel.field)
                    if other == 0:
                        continue
                    at = find_pair(pairs, s, cell.relation, other)
                    if pairs[at].slot < 0 or pairs[at].last + rel.lifetime < clock:
                        continue
                    asked = pairs[at].last
                    if asked != _NEVER and 0 <= row.ts - asked <= cell.gap and pairs[at].replied < asked:
                        pairs[at].replied = row.ts
                        b = buckets_of[cell.clock]
                        if _open_bucket(state, s, base, cell.buckets, b, 0.0):
                            state[s, base + 1 + _place_of(b, cell.buckets)] += 1.0
                        else:
                            late = True
                elif code == BURSTS:
                    # layout: [last burst's time, head, buckets...]; the watched ring already holds this event
                    size = _window_sum(
                        state,
                        s,
                        cell.watch,
                        cell.watch_buckets,
                        cell.watch_window,
                        _bucket(clock, cell.watch_every),
                    )
                    ring = base + 1
                    if size >= cell.number:
                        if row.ts - np.int64(state[s, base]) >= cell.gap:
                            b = buckets_of[cell.clock]
                            if _open_bucket(state, s, ring, cell.buckets, b, 0.0):
                                state[s, ring + 1 + _place_of(b, cell.buckets)] += 1.0
                            else:
                                late = True
                        state[s, base] = max(state[s, base], np.float64(row.ts))

                elif code == NIGHTS:
                    night = _night_of(row.ts)
                    if night >= 0 and not (math.isnan(row.lat) or math.isnan(row.lon)):
                        _take_night(row, state, s, base, np.float64(night))
                elif code == JOURNEYS:
                    # layout: [when it went away, latest event with coordinates, head, buckets...]
                    km = _away(np.float64(row.lat), np.float64(row.lon), state, s, cell.watch)
                    if math.isnan(km) or row.ts < np.int64(state[s, base + 1]):
                        continue
                    state[s, base + 1] = row.ts
                    if state[s, base] == 0.0:
                        if km >= cell.number:
                            state[s, base] = row.ts
                    elif km <= 0.5 * cell.number:
                        state[s, base] = 0.0
                        b = buckets_of[cell.clock]
                        if _open_bucket(state, s, base + 2, cell.buckets, b, 0.0):
                            state[s, base + 3 + _place_of(b, cell.buckets)] += 1.0
                        else:
                            late = True
                elif code == NIGHTS_AWAY:
                    # layout: [the latest night counted, head, buckets...]
                    night = _night_of(row.ts)
                    if night <= np.int64(state[s, base]):
                        continue
                    if _away(np.float64(row.lat), np.float64(row.lon), state, s, cell.watch) >= cell.number:
                        state[s, base] = night
                        b = buckets_of[cell.clock]
                        if _open_bucket(state, s, base + 1, cell.buckets, b, 0.0):
                            state[s, base + 2 + _place_of(b, cell.buckets)] += 1.0
                        else:
                            late = True

        for r in range(n_rel):
            if at_pair[r] >= 0:
                at = at_pair[r]
                pairs[at].last = max(pairs[at].last, row.ts)
                if pairs[at].count < _MOST_COUNTED:
                    pairs[at].count += 1
                rel = relations[r]
                if rel.source != V_ONE:
                    v = _value(row, rel.source, rel.arg, x, i, state, s)
                    if not math.isnan(v):
                        pairs[at].total += v
        if row.role != _PEEK:
            state[s, 0] = clock
            state[s, 1] = max(state[s, 1], np.float64(row.recorded))
            state[s, 2] += 1.0

        for j in range(len(everys)):
            nows[j] = _bucket(clock, everys[j])
        for j in range(len(reads_windows)):
            read = reads_windows[j]
            out[i, read.column] = _window_sum(
                state, s, read.base, read.buckets, read.window, nows[read.clock]
            )
        for j in range(len(reads_rest)):
            read = reads_rest[j]
            code = read.code
            value = np.nan
            if code == MEAN:
                now = nows[read.clock]
                n = _window_sum(state, s, read.base2, read.buckets2, read.window, now)
                if n > 0.0:
                    value = _window_sum(state, s, read.base, read.buckets, read.window, now) / n
            elif code == SPREAD:
                now = nows[read.clock]
                n = _window_sum(state, s, read.base2, read.buckets2, read.window, now)
                if n >= 2.0:
                    m = _window_sum(state, s, read.base, read.buckets, read.window, now) / n
                    square = _window_sum(state, s, read.base3, read.buckets3, read.window, now) / n
                    value = _spread_of(m, square)
            elif code == LISTED:
                value = 1.0 if state[s, read.base] > 0.0 and state[s, read.base + 1] >= clock else 0.0
            elif code == HAPPENING:
                value = 1.0 if (bits >> np.uint64(read.selection)) & np.uint64(1) != 0 else 0.0
            elif code == AWAY_KM:
                if (bits >> np.uint64(read.selection)) & np.uint64(1) != 0:
                    value = _away(np.float64(row.lat), np.float64(row.lon), state, s, read.base)
            elif code == RATIO:
                top = out[i, read.base] if read.base >= 0 else x[i, -1 - read.base]
                bottom = out[i, read.base2] if read.base2 >= 0 else x[i, -1 - read.base2]
                if not math.isnan(bottom) and bottom != 0.0:
                    value = top / bottom
            elif code == VALUE:
                if state[s, read.base] > 0.0:
                    value = state[s, read.base + 1]
            elif code == AGE:
                if state[s, read.base] > 0.0:
                    value = (clock - state[s, read.base + 1]) / _DAY_US
            elif code == WINDOW_MAX:
                value = _window_extreme(state, s, read.base, read.buckets, read.window, nows[read.clock], 1.0)
            elif code == WINDOW_MIN:
                value = _window_extreme(
                    state, s, read.base, read.buckets, read.window, nows[read.clock], -1.0
                )
            elif code == PLACE or code == PLACE_SHARE:
                best = 0
                total = 0.0
                for k in range(PLACE_SLOTS):
                    total += state[s, read.base + 2 * k + 1]
                    if state[s, read.base + 2 * k + 1] > state[s, read.base + 2 * best + 1]:
                        best = k
                if total > 0.0:
                    weight = state[s, read.base + 2 * best + 1]
                    value = state[s, read.base + 2 * best] if code == PLACE else weight / total
            out[i, read.column] = value
        if late:
            late_rows += 1
    return used, late_rows


@njit(cache=True)
def usual_values(values, columns, slots, times, state, base, memory, asked, before):  # type: ignore[no-untyped-def]
    """What is usual of some columns of each entity's rows: a mean that forgets with time, not with events.

    Weighted by exp(-age / memory), so that one busy evening does not become what is usual. (Time, mean) a column from
    state column `base`. What was usual before the rows in `asked` (ascending) goes into `before`.
    """
    width = state.shape[1] * 8
    next_asked = 0
    for i in range(len(values)):
        ahead = i + _STATE_AHEAD
        if ahead < len(values) and slots[ahead] >= 0:
            row_at = slots[ahead] * width
            for line in range(base * 8, (base + 2 * len(columns)) * 8, _LINE):
                fetch(state, row_at + line)
        s = slots[i]
        told = next_asked < len(asked) and asked[next_asked] == i
        if told:
            for j in range(len(columns)):
                k = base + 2 * j
                before[next_asked, j] = state[s, k + 1] if s >= 0 and state[s, k] > 0.0 else np.nan
            next_asked += 1
        if s < 0:
            continue
        known_since = -1.0
        weight = 0.0
        now = np.float64(times[i])
        for j in range(len(columns)):
            v = values[i, columns[j]]
            if math.isnan(v):
                continue
            k = base + 2 * j
            last = state[s, k]
            if last == 0.0:
                state[s, k + 1] = v
            else:
                if last != known_since:
                    known_since = last
                    weight = 1.0 - math.exp(-max(times[i] - last, 0.0) / memory)
                state[s, k + 1] += weight * (v - state[s, k + 1])
            state[s, k] = max(last, now)


@njit(cache=True)
def slots_of(rows, table_hi, table_lo, table_slot, count, state, lifetime, now, entity_slots):  # type: ignore[no-untyped-def]
    """Find each row's entity in the table, giving new ones the next slot; gives (count, latest recorded time).

    An entity unseen for its lifetime is new again: it gets a new row of state, and with it new pairs. The old row
    stays for the rows before this one, and goes when the table next grows.
    """
    mask = np.uint64(len(table_slot) - 1)
    for i in range(len(rows)):
        if i + _TABLE_AHEAD < len(rows):
            soon = rows[i + _TABLE_AHEAD]
            at = np.int64((soon.own_lo ^ (soon.own_lo >> np.uint64(32)) ^ soon.own_hi) & mask)
            fetch(table_slot, at * 4)
            fetch(table_lo, at * 8)
            fetch(table_hi, at * 8)
        hi, lo = rows[i].own_hi, rows[i].own_lo
        now = max(now, rows[i].recorded)
        at = (lo ^ (lo >> np.uint64(32)) ^ hi) & mask
        while True:
            slot = table_slot[at]
            if slot < 0:
                if rows[i].role == _PEEK:
                    break
                table_hi[at] = hi
                table_lo[at] = lo
                table_slot[at] = count
                slot = count
                count += 1
                break
            if table_lo[at] == lo and table_hi[at] == hi:
                if state[slot, 1] > 0.0 and np.int64(state[slot, 1]) + lifetime < now:
                    if rows[i].role == _PEEK:
                        slot = -1
                    else:
                        table_slot[at] = count
                        slot = count
                        count += 1
                break
            at = (at + np.uint64(1)) & mask
        if slot >= 0 and rows[i].role != _PEEK:
            # already now: the entity's next row may be in this same batch, and a lifetime later
            state[slot, 1] = max(state[slot, 1], np.float64(rows[i].recorded))
        entity_slots[i] = slot
    return count, now


assert HEADER == 3

Floats = npt.NDArray[np.float64]
