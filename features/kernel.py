"""The kernel that keeps features: it walks role rows in order, reads and changes each entity's row of state.

An entity has a row (its head, then where its blocks are) and, in a memory of its own, the blocks of the selections that
it had events of. `sums` is that memory as float64 (times in microseconds fit exactly below 2**53), `counts` the same
bytes as int32. A block that is not there yet is at 0, where all is zero, which every cell reads as "nothing yet".

A pair has one record of 64-bit words, whatever it is remembered for, found through a hash table. A time of 0 is "never".

Everything happens in the order of the rows and with sums in one fixed order, so the same
rows give the same bits however they were batched.
"""

import math

import numpy as np
import numpy.typing as npt

from events.kernels import bare
from features.prefetch import fetch, lowest
from features.program import (
    AGE,
    AWAY_KM,
    BURSTS,
    DEVIATION,
    DISTINCT,
    ENOUGH_NIGHTS,
    GRAIN,
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
    RECORD,
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

_LINE = 64
_ROW_AHEAD = 8
_BLOCKS_AHEAD = 4
_PAIRS_AHEAD = 8
_RECORDS_AHEAD = 4
_TABLE_AHEAD = 8
_HEADS_AHEAD = 4
_HIGH = np.uint64(0xFFFFFFFF00000000)
_LOW = np.uint64(0xFFFFFFFF)
_GROUP_BITS = 8
_GROUP = (1 << _GROUP_BITS) - 1
_COUNTS_A_GRAIN = 2 * GRAIN
_UNSOUGHT = -1
_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
_PREPAID = int(Flag.PREPAID)
_PEEK = int(Role.PEEK)
_LISTS = (int(Kind.LINK), int(Kind.WATCH))
_ID_BITS = (1 << 52) - 1
_NEVER = 0
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


@bare(forceinline=True)
def _mix(slot, group, other):  # type: ignore[no-untyped-def]
    """A hash of a pair (the finaliser of SplitMix64)."""
    z = (
        np.uint64(other)
        ^ (np.uint64(slot) * np.uint64(0x9E3779B97F4A7C15))
        ^ (np.uint64(group + 1) * np.uint64(0xC2B2AE3D27D4EB4F))
    )
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@bare(forceinline=True)
def _own_hash(hi, lo):  # type: ignore[no-untyped-def]
    """A hash of a token, which is a keyed digest already: its low bits say the shard, so the others come in too."""
    return lo ^ (lo >> np.uint64(32)) ^ hi


@bare
def find_pair(table, words, slot, group, other):  # type: ignore[no-untyped-def]
    """Where in the table a pair is, or would go, and where its record is; 0 when it has none.

    A place in the table is half of the pair's hash, and where its record is; all zero: free.
    """
    mixed = _mix(slot, group, other)
    mask = np.uint64(len(table) - 1)
    key = (slot << _GROUP_BITS) | group
    at = mixed & mask
    while True:
        found = table[at]
        if found == 0:
            return np.int64(at), np.int64(0)
        if (found & _HIGH) == (mixed & _HIGH):
            record = np.int64(found & _LOW)
            if words[record + 1] == key and words[record] == np.int64(other):
                return np.int64(at), record
        at = (at + np.uint64(1)) & mask


@bare
def _begin_pair(table, words, used, groups, at, slot, group, other):  # type: ignore[no-untyped-def]
    """Begin a record and say where it is. Its memory is all zero."""
    record = used[1]
    used[1] += groups[group]
    used[2] += 1
    words[record] = np.int64(other)
    words[record + 1] = (slot << _GROUP_BITS) | group
    table[at] = (_mix(slot, group, other) & _HIGH) | np.uint64(record)
    return record


@bare
def fill_pairs(table, words, used, groups):  # type: ignore[no-untyped-def]
    """Put all records into an empty table."""
    mask = np.uint64(len(table) - 1)
    record = np.int64(RECORD)
    while record < used[1]:
        key = words[record + 1]
        mixed = _mix(key >> _GROUP_BITS, key & _GROUP, np.uint64(words[record]))
        at = mixed & mask
        while table[at] != 0:
            at = (at + np.uint64(1)) & mask
        table[at] = (mixed & _HIGH) | np.uint64(record)
        record += groups[key & _GROUP]


@bare
def sweep_pairs(words, used, groups, relations, slot_of, heads):  # type: ignore[no-untyped-def]
    """Move living records together; `slot_of` says where each entity's row is now (-1: gone). The table is void then."""
    record, to = np.int64(RECORD), np.int64(RECORD)
    kept = 0
    while record < used[1]:
        key = words[record + 1]
        group, now = key & _GROUP, slot_of[key >> _GROUP_BITS]
        length = groups[group]
        living = False
        if now >= 0:
            clock = np.int64(heads[now, 0])
            for r in range(len(relations)):
                if relations[r].group == group:
                    last = words[record + relations[r].last]
                    if last != _NEVER and last + relations[r].lifetime >= clock:
                        living = True
                        break
        if living:
            for k in range(length):
                words[to + k] = words[record + k]
            words[to + 1] = (now << _GROUP_BITS) | group
            to += length
            kept += 1
        record += length
    for k in range(to, used[1]):
        words[k] = 0
    used[1], used[2] = to, kept


@bare
def fill_table(table, tokens, count):  # type: ignore[no-untyped-def]
    """Put entities, in the order of their rows, into an empty table: half of the hash and the row's number plus 1."""
    mask = np.uint64(len(table) - 1)
    for i in range(count):
        mixed = _own_hash(tokens[i, 3], tokens[i, 4])
        at = mixed & mask
        while table[at] != 0:
            at = (at + np.uint64(1)) & mask
        table[at] = (mixed & _HIGH) | np.uint64(i + 1)


@bare
def move_blocks(heads, places, sums, order, first, blocks, new_heads, new_places, new_sums, used):  # type: ignore[no-untyped-def]
    """Copy some entities, in order, with their blocks, to new memory."""
    for to in range(len(order)):
        s = order[to]
        for k in range(heads.shape[1]):
            new_heads[to, k] = heads[s, k]
        for k in range(len(blocks)):
            here = np.int64(places[s, first + k])
            new_places[to, first + k] = 0
            if here != 0:
                there = used[0]
                used[0] += blocks[k]
                new_places[to, first + k] = there
                for n in range(blocks[k] * GRAIN):
                    new_sums[there * GRAIN + n] = sums[here * GRAIN + n]


@bare(forceinline=True)
def block_of(places, s, column, size, used):  # type: ignore[no-untyped-def]
    """Where an entity's block is, in grains; made when it has none. Its memory is all zero."""
    at = np.int64(places[s, column])
    if at == 0:
        at = used[0]
        used[0] += size
        places[s, column] = at
    return at


@bare(forceinline=True)
def _id(token):  # type: ignore[no-untyped-def]
    """A token as an exact number; absent when there is none."""
    return np.float64(token & np.uint64(_ID_BITS)) if token != 0 else np.nan


@bare(forceinline=True)
def _value(row, source, arg, x, i, heads, s):  # type: ignore[no-untyped-def]
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
        last = heads[s, arg]
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


@bare(forceinline=True)
def _bucket(ts, every):  # type: ignore[no-untyped-def]
    """The bucket an instant lies in; instants are after 1970, and division without a sign is quicker."""
    return np.int64(np.uint64(ts) // np.uint64(every))


@bare(forceinline=True)
def _place_of(b, buckets):  # type: ignore[no-untyped-def]
    """Where in its ring a bucket is."""
    return np.int64(np.uint64(b) % np.uint64(buckets))


@bare(forceinline=True)
def _open_bucket(memory, ring, buckets, b, empty):  # type: ignore[no-untyped-def]
    """Move a ring on to bucket `b` and say whether `b` is still held."""
    head = np.int64(memory[ring])
    if head == 0:
        memory[ring] = b
        for k in range(buckets):
            memory[ring + 1 + k] = empty
        return True
    if b > head:
        first = max(head + 1, b - buckets + 1)
        at = _place_of(first, buckets)
        for _ in range(first, b + 1):
            memory[ring + 1 + at] = empty
            at += 1
            if at == buckets:
                at = 0
        memory[ring] = b
        return True
    return b > head - buckets


@bare(forceinline=True)
def _count(counts, ring, buckets, b):  # type: ignore[no-untyped-def]
    """Count one in bucket `b`; says whether it came too late for that."""
    if not _open_bucket(counts, ring, buckets, b, np.int32(0)):
        return True
    counts[ring + 1 + _place_of(b, buckets)] += np.int32(1)
    return False


@bare(forceinline=True)
def _window_sum(memory, ring, buckets, window, now):  # type: ignore[no-untyped-def]
    head = np.int64(memory[ring])
    total = 0.0
    if head == 0:
        return total
    first = max(now - window + 1, head - buckets + 1)
    if first > head:
        return total
    at = _place_of(first, buckets)
    for _ in range(first, min(head, now) + 1):
        total += memory[ring + 1 + at]
        at += 1
        if at == buckets:
            at = 0
    return total


@bare(forceinline=True)
def _window_extreme(sums, ring, buckets, window, now, sign):  # type: ignore[no-untyped-def]
    head = np.int64(sums[ring])
    best = -np.inf
    if head == 0:
        return np.nan
    for k in range(max(now - window + 1, head - buckets + 1), min(head, now) + 1):
        best = max(best, sign * sums[ring + 1 + _place_of(k, buckets)])
    return sign * best if best > -np.inf else np.nan


@bare(forceinline=True)
def _spread_of(mean, square):  # type: ignore[no-untyped-def]
    """Standard deviation over mean, from the mean and the mean square."""
    if mean * mean <= _ALIKE * square:
        return np.nan
    spread = square - mean * mean
    return math.sqrt(spread) / abs(mean) if spread > _ALIKE * mean * mean else 0.0


@bare(forceinline=True)
def _take_place(sums, base, code):  # type: ignore[no-untyped-def]
    """Count a force among the few remembered (space-saving: the rarest gives way to a new one)."""
    rarest = 0
    for k in range(PLACE_SLOTS):
        if sums[base + 2 * k] == code:
            sums[base + 2 * k + 1] += 1.0
            return
        if sums[base + 2 * k + 1] < sums[base + 2 * rarest + 1]:
            rarest = k
    sums[base + 2 * rarest] = code
    sums[base + 2 * rarest + 1] += 1.0


@bare(forceinline=True)
def _chosen(row, selections, parts, x, i, heads, s):  # type: ignore[no-untyped-def]
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
            v = _value(row, sel.source, sel.arg, x, i, heads, s)
            if math.isnan(v) or (sel.compare == 1 and v < sel.bound) or (sel.compare == 2 and v > sel.bound):
                continue
        bits |= np.uint64(1) << np.uint64(j)
    return bits


@bare(forceinline=True)
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


@bare(forceinline=True)
def _logged(v, log):  # type: ignore[no-untyped-def]
    return math.log1p(max(v, 0.0)) if log else v


@bare(forceinline=True)
def _ask_ahead(  # type: ignore[no-untyped-def]
    rows, slots, i, heads, places, first, blocks, sums, table, words, groups, group_fields, group_parts
):
    """Ask memory for what rows that come soon will touch: first for what says where it is, then for itself."""
    width = heads.shape[1] * 8
    ahead = i + _ROW_AHEAD
    if ahead < len(rows) and slots[ahead] >= 0:
        for line in range(0, width, _LINE):
            fetch(heads, slots[ahead] * width + line)
    ahead = i + _BLOCKS_AHEAD
    if ahead < len(rows) and slots[ahead] >= 0:
        for k in range(len(blocks)):
            at = np.int64(places[slots[ahead], first + k]) * (8 * GRAIN)
            if at != 0:
                for line in range(0, blocks[k] * (8 * GRAIN), _LINE):
                    fetch(sums, at + line)
    mask = np.uint64(len(table) - 1)
    ahead = i + _PAIRS_AHEAD
    if ahead < len(rows) and slots[ahead] >= 0:
        left = group_parts[rows[ahead].kind, rows[ahead].role]
        while left != 0:
            g = lowest(left)
            left &= left - np.uint64(1)
            fetch(table, np.int64(_mix(slots[ahead], g, _party(rows[ahead], group_fields[g])) & mask) * 8)
    ahead = i + _RECORDS_AHEAD
    if ahead < len(rows) and slots[ahead] >= 0:
        left = group_parts[rows[ahead].kind, rows[ahead].role]
        while left != 0:
            g = lowest(left)
            left &= left - np.uint64(1)
            found = table[_mix(slots[ahead], g, _party(rows[ahead], group_fields[g])) & mask]
            if found != 0:
                record = np.int64(found & _LOW) * 8
                for line in range(0, groups[g] * 8, _LINE):
                    fetch(words, record + line)


@bare(forceinline=True)
def _night_of(ts):  # type: ignore[no-untyped-def]
    """Which night an event falls in, counted in days; -1 by day."""
    since = ts + _NIGHT_FROM_MIDNIGHT
    return since // _DAY_US if since % _DAY_US < _NIGHT_US else -1


@bare(forceinline=True)
def _take_night(row, sums, base, night):  # type: ignore[no-untyped-def]
    """Count a square once a night among the few remembered: (square, nights, last night) each."""
    y = math.floor((np.float64(row.lat) + 90.0) * _SQUARES_A_DEGREE)
    square = y * _SQUARES_ROUND + math.floor((np.float64(row.lon) + 180.0) * _SQUARES_A_DEGREE) + 1.0
    rarest = base
    for k in range(base, base + 3 * PLACE_SLOTS, 3):
        if sums[k] == square:
            if sums[k + 2] != night:
                sums[k + 1] += 1.0
                sums[k + 2] = night
            return
        if sums[k + 1] < sums[rarest + 1]:
            rarest = k
    sums[rarest] = square
    sums[rarest + 1] += 1.0
    sums[rarest + 2] = night


@bare
def kilometres(lat, lon, lat2, lon2):  # type: ignore[no-untyped-def]
    """Along a great circle (haversine)."""
    a, b = math.radians(lat), math.radians(lat2)
    half = math.sin((b - a) / 2.0) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(lon2 - lon) / 2.0) ** 2
    return 2.0 * _EARTH_KM * math.asin(math.sqrt(min(1.0, half)))


@bare
def _away(lat, lon, sums, base):  # type: ignore[no-untyped-def]
    """How far from the middle of the usual night place's square; absent when either is not known."""
    best = base
    for k in range(base + 3, base + 3 * PLACE_SLOTS, 3):
        if sums[k + 1] > sums[best + 1]:
            best = k
    if sums[best + 1] < ENOUGH_NIGHTS or math.isnan(lat) or math.isnan(lon):
        return np.nan
    square = np.int64(sums[best]) - 1
    y = (square // _SQUARES_ROUND + 0.5) / _SQUARES_A_DEGREE - 90.0
    x = (square % _SQUARES_ROUND + 0.5) / _SQUARES_A_DEGREE - 180.0
    return kilometres(lat, lon, y, x)


@bare
def advance(  # type: ignore[no-untyped-def]
    rows,
    slots,
    x,
    heads,
    places,
    sums,
    counts,
    table,
    words,
    amounts,
    used,
    first_place,
    blocks,
    groups,
    group_fields,
    group_parts,
    selections,
    parts,
    relations,
    totals,
    cells,
    cell_parts,
    cell_bits,
    reads,
    read_from,
    everys,
    scratch,
    out,
):
    """Take rows in order: what was known before, what changes, what is known now. Gives how many rows were too late.

    `places` are the rows' heads as int32, `words` and `amounts` the pairs' records as int64 and float64. `reads` are
    those of what was known before, of counts, of sums, and the rest, each for rows that happen and then for rows that
    only look; `read_from` says where each begins and ends. `scratch` is for the kernel's own use, five rows of it.
    """
    n_rel = len(relations)
    n_words = cell_parts.shape[2]
    nows, buckets_of, at_pair, old_last, at_group = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    late_rows = 0
    reads_before, reads_counts, reads_sums, reads_rest = reads
    for i in range(len(rows)):
        _ask_ahead(
            rows,
            slots,
            i,
            heads,
            places,
            first_place,
            blocks,
            sums,
            table,
            words,
            groups,
            group_fields,
            group_parts,
        )
        row = rows[i]
        s = slots[i]
        if s < 0:  # looked at, but never seen
            for j in range(out.shape[1]):
                out[i, j] = np.nan
            continue
        clock = max(np.int64(heads[s, 0]), row.ts)
        bits = _chosen(row, selections, parts, x, i, heads, s)
        late = False
        how = 0
        if row.role == _PEEK:
            how = 1
            for j in range(out.shape[1]):
                out[i, j] = np.nan

        for g in range(len(groups)):
            at_group[g] = _UNSOUGHT
        for r in range(n_rel):
            at_pair[r] = -1
            old_last[r] = _NEVER
            rel = relations[r]
            if (bits >> np.uint64(rel.selection)) & np.uint64(1) == 0:
                continue
            other = _party(row, rel.field)
            if other == 0:
                continue
            record = at_group[rel.group]
            if record < 0:
                at, record = find_pair(table, words, s, rel.group, other)
                if record == 0:
                    record = _begin_pair(table, words, used, groups, at, s, rel.group, other)
                at_group[rel.group] = record
            last = words[record + rel.last]
            if last != _NEVER and last + rel.lifetime < clock:  # forgotten: as if never seen
                for k in range(rel.last, rel.end):
                    words[record + k] = 0
                last = np.int64(_NEVER)
            if last == _NEVER and rel.first >= 0:
                words[record + rel.first] = row.ts
            at_pair[r] = record
            old_last[r] = last

        for j in range(read_from[how, 0], read_from[how + 1, 0]):
            read = reads_before[j]
            code = read.code
            value = np.nan
            if code == SINCE:
                before = heads[s, read.base]
                if before > 0.0:
                    value = (clock - before) / 1e6
            elif code == NOVELTY:
                if at_pair[read.relation] >= 0:
                    value = 1.0 if old_last[read.relation] == _NEVER else 0.0
            elif code == PAIR_AGE:
                if at_pair[read.relation] >= 0:
                    value = max(0.0, (row.ts - words[at_pair[read.relation] + read.place]) / _DAY_US)
            elif code == PAIR_COUNT:
                if at_pair[read.relation] >= 0:
                    value = np.float64(words[at_pair[read.relation] + read.place])
            elif code == PAIR_TOTAL:
                if at_pair[read.relation] >= 0:
                    value = amounts[at_pair[read.relation] + read.place]
            elif code == PAIR_SINCE:
                if at_pair[read.relation] >= 0 and old_last[read.relation] != _NEVER:
                    value = max(0.0, (row.ts - old_last[read.relation]) / 1e6)
            elif code == DEVIATION:
                if (bits >> np.uint64(read.selection)) & np.uint64(1) != 0:
                    v = _logged(_value(row, read.source, read.arg, x, i, heads, s), read.log)
                    past = np.int64(places[s, first_place + read.block]) * GRAIN + read.base
                    if sums[past] >= _ENOUGH_PAST and not math.isnan(v):
                        m = sums[past + 1]
                        floor = _SD_FLOOR * max(abs(m), 1e-9)
                        spread = max(sums[past + 2] - m * m, floor * floor)
                        value = (v - m) / math.sqrt(spread)
            elif (bits >> np.uint64(read.selection)) & np.uint64(1) != 0:  # USUAL_HOUR
                hours = np.int64(places[s, first_place + read.block]) * GRAIN + read.base
                total = 0.0
                for k in range(HOUR_BINS):
                    total += sums[hours + k]
                bin_ = ((row.ts // _HOUR_US) % 24) // (24 // HOUR_BINS)
                value = (sums[hours + bin_] + 1.0) / (total + HOUR_BINS)
            out[i, read.column] = value

        if bits != 0:
            for j in range(len(everys)):
                buckets_of[j] = _bucket(row.ts, everys[j])
        for word in range(n_words if bits != 0 else 0):
            left = cell_parts[row.kind, row.role, word]
            while left != 0:
                j = lowest(left) + 64 * word
                left &= left - np.uint64(1)
                if (bits & cell_bits[j]) == 0:
                    continue
                cell = cells[j]
                code = cell.code
                if code == LAST:
                    heads[s, cell.base] = max(heads[s, cell.base], np.float64(row.ts))
                    continue
                block = block_of(places, s, first_place + cell.block, blocks[cell.block], used)
                base = block * GRAIN + cell.base
                ring = block * (_COUNTS_A_GRAIN if cell.counted == 1 else GRAIN) + cell.ring
                if code == RING_SUM:
                    v = _value(row, cell.source, cell.arg, x, i, heads, s)
                    if math.isnan(v):
                        continue
                    b = buckets_of[cell.clock]
                    if cell.counted == 1:
                        late = _count(counts, ring, cell.buckets, b) or late
                    elif _open_bucket(sums, ring, cell.buckets, b, 0.0):
                        # by `number`: the value, or its square
                        sums[ring + 1 + _place_of(b, cell.buckets)] += v if cell.number == 0.0 else v * v
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
                    counts_now = True
                    if code == RETURNING:
                        counted = counted and words[at + cell.mark] == 1
                        if before != _NEVER and row.ts - before >= cell.gap:
                            words[at + cell.mark] = 1
                        counts_now = words[at + cell.mark] == 1
                    if counts_now:
                        late = _count(counts, ring, cell.buckets, b) or late
                    if counted:
                        b_old = _bucket(before, cell.every)
                        if b_old > np.int64(counts[ring]) - cell.buckets:
                            counts[ring + 1 + _place_of(b_old, cell.buckets)] -= np.int32(1)
                elif code == KNOWN:
                    v = _value(row, cell.source, cell.arg, x, i, heads, s)
                    if not math.isnan(v) and np.float64(row.ts) >= sums[base]:
                        sums[base] = row.ts
                        sums[base + 1] = v
                elif code == PAST:
                    v = _logged(_value(row, cell.source, cell.arg, x, i, heads, s), cell.log)
                    if math.isnan(v):
                        continue
                    sums[base] += 1.0
                    a = max(1.0 / sums[base], cell.number)
                    sums[base + 1] += a * (v - sums[base + 1])
                    sums[base + 2] += a * (v * v - sums[base + 2])
                elif code == HOURS:
                    sums[base + ((row.ts // _HOUR_US) % 24) // (24 // HOUR_BINS)] += 1.0
                elif code == PLACES:
                    v = _value(row, cell.source, cell.arg, x, i, heads, s)
                    if not math.isnan(v):
                        _take_place(sums, base, v)
                elif code == RING_MAX or code == RING_MIN:
                    v = _value(row, cell.source, cell.arg, x, i, heads, s)
                    if math.isnan(v):
                        continue
                    b = buckets_of[cell.clock]
                    empty = -np.inf if code == RING_MAX else np.inf
                    if _open_bucket(sums, ring, cell.buckets, b, empty):
                        k = ring + 1 + _place_of(b, cell.buckets)
                        sums[k] = max(sums[k], v) if code == RING_MAX else min(sums[k], v)
                    else:
                        late = True
                elif code == REPLIES:
                    rel = relations[cell.relation]
                    other = _party(row, rel.field)
                    if other == 0:
                        continue
                    at = at_group[rel.group]
                    if at < 0:
                        _, at = find_pair(table, words, s, rel.group, other)
                        if at == 0:
                            continue
                    asked = words[at + rel.last]
                    if asked == _NEVER or asked + rel.lifetime < clock:
                        continue
                    if 0 <= row.ts - asked <= cell.gap and words[at + cell.mark] < asked:
                        words[at + cell.mark] = row.ts
                        late = _count(counts, ring, cell.buckets, buckets_of[cell.clock]) or late
                elif code == BURSTS:
                    # its number: the last burst's time; the watched ring already holds this event
                    size = _window_sum(
                        counts,
                        block * _COUNTS_A_GRAIN + cell.watch,
                        cell.watch_buckets,
                        cell.watch_window,
                        _bucket(clock, cell.watch_every),
                    )
                    if size >= cell.number:
                        if row.ts - np.int64(sums[base]) >= cell.gap:
                            late = _count(counts, ring, cell.buckets, buckets_of[cell.clock]) or late
                        sums[base] = max(sums[base], np.float64(row.ts))

                elif code == NIGHTS:
                    night = _night_of(row.ts)
                    if night >= 0 and not (math.isnan(row.lat) or math.isnan(row.lon)):
                        _take_night(row, sums, base, np.float64(night))
                elif code == JOURNEYS:
                    # its numbers: when it went away, the latest event with coordinates
                    nights = block * GRAIN + cell.watch
                    km = _away(np.float64(row.lat), np.float64(row.lon), sums, nights)
                    if math.isnan(km) or row.ts < np.int64(sums[base + 1]):
                        continue
                    sums[base + 1] = row.ts
                    if sums[base] == 0.0:
                        if km >= cell.number:
                            sums[base] = row.ts
                    elif km <= 0.5 * cell.number:
                        sums[base] = 0.0
                        late = _count(counts, ring, cell.buckets, buckets_of[cell.clock]) or late
                elif code == NIGHTS_AWAY:
                    # its number: the latest night counted
                    night = _night_of(row.ts)
                    if night <= np.int64(sums[base]):
                        continue
                    nights = block * GRAIN + cell.watch
                    if _away(np.float64(row.lat), np.float64(row.lon), sums, nights) >= cell.number:
                        sums[base] = night
                        late = _count(counts, ring, cell.buckets, buckets_of[cell.clock]) or late

        for r in range(n_rel):
            record = at_pair[r]
            if record >= 0:
                rel = relations[r]
                words[record + rel.last] = max(words[record + rel.last], row.ts)
                if rel.count >= 0:
                    words[record + rel.count] = min(words[record + rel.count] + 1, _MOST_COUNTED)
        for j in range(len(totals)):
            total_of = totals[j]
            record = at_pair[total_of.relation]
            if record >= 0:
                v = _value(row, total_of.source, total_of.arg, x, i, heads, s)
                if not math.isnan(v):
                    amounts[record + total_of.place] += v
        if row.role != _PEEK:
            heads[s, 0] = clock
            heads[s, 1] = max(heads[s, 1], np.float64(row.recorded))
            heads[s, 2] += 1.0

        for j in range(len(everys)):
            nows[j] = _bucket(clock, everys[j])
        for j in range(read_from[how, 1], read_from[how + 1, 1]):
            read = reads_counts[j]
            here = np.int64(places[s, first_place + read.block]) * _COUNTS_A_GRAIN + read.base
            out[i, read.column] = _window_sum(counts, here, read.buckets, read.window, nows[read.clock])
        for j in range(read_from[how, 2], read_from[how + 1, 2]):
            read = reads_sums[j]
            here = np.int64(places[s, first_place + read.block]) * GRAIN + read.base
            out[i, read.column] = _window_sum(sums, here, read.buckets, read.window, nows[read.clock])
        for j in range(read_from[how, 3], read_from[how + 1, 3]):
            read = reads_rest[j]
            code = read.code
            value = np.nan
            block = np.int64(places[s, first_place + read.block])
            base = block * GRAIN + read.base
            if code == MEAN or code == SPREAD:
                now = nows[read.clock]
                n = _window_sum(counts, block * _COUNTS_A_GRAIN + read.base2, read.buckets2, read.window, now)
                if code == MEAN and n > 0.0:
                    value = _window_sum(sums, base, read.buckets, read.window, now) / n
                elif code == SPREAD and n >= 2.0:
                    m = _window_sum(sums, base, read.buckets, read.window, now) / n
                    square = (
                        _window_sum(sums, block * GRAIN + read.base3, read.buckets3, read.window, now) / n
                    )
                    value = _spread_of(m, square)
            elif code == LISTED:
                value = 1.0 if sums[base] > 0.0 and sums[base + 1] >= clock else 0.0
            elif code == HAPPENING:
                value = 1.0 if (bits >> np.uint64(read.selection)) & np.uint64(1) != 0 else 0.0
            elif code == AWAY_KM:
                if (bits >> np.uint64(read.selection)) & np.uint64(1) != 0:
                    value = _away(np.float64(row.lat), np.float64(row.lon), sums, base)
            elif code == RATIO:
                top = out[i, read.base] if read.base >= 0 else x[i, -1 - read.base]
                bottom = out[i, read.base2] if read.base2 >= 0 else x[i, -1 - read.base2]
                if not math.isnan(bottom) and bottom != 0.0:
                    value = top / bottom
            elif code == VALUE:
                if sums[base] > 0.0:
                    value = sums[base + 1]
            elif code == AGE:
                if sums[base] > 0.0:
                    value = (clock - sums[base + 1]) / _DAY_US
            elif code == WINDOW_MAX:
                value = _window_extreme(sums, base, read.buckets, read.window, nows[read.clock], 1.0)
            elif code == WINDOW_MIN:
                value = _window_extreme(sums, base, read.buckets, read.window, nows[read.clock], -1.0)
            elif code == PLACE or code == PLACE_SHARE:
                best = 0
                total = 0.0
                for k in range(PLACE_SLOTS):
                    total += sums[base + 2 * k + 1]
                    if sums[base + 2 * k + 1] > sums[base + 2 * best + 1]:
                        best = k
                if total > 0.0:
                    weight = sums[base + 2 * best + 1]
                    value = sums[base + 2 * best] if code == PLACE else weight / total
            out[i, read.column] = value
        if late:
            late_rows += 1
    return late_rows


@bare
def usual_values(  # type: ignore[no-untyped-def]
    values, always, sometimes, slots, times, heads, places, sums, used, since, first, memory, asked, before
):
    """What is usual of some columns of each entity's rows: a mean that forgets with time, not with events.

    Weighted by exp(-age / memory), so that one busy evening does not become what is usual. What was usual before the
    rows in `asked` (ascending) goes into `before`, by column.

    `always` are columns that are never absent: their time is that of the entity's latest row, column `since` of its
    head, and their means are in blocks of GRAIN from `first` on. A mean of nothing but zeros takes no block. `sometimes`
    are the others: blocks of GRAIN / 2 pairs of a time and a mean.
    """
    n_always, n_sometimes = len(always), len(sometimes)
    second = first + (n_always + GRAIN - 1) // GRAIN
    n_blocks = second - first + (2 * n_sometimes + GRAIN - 1) // GRAIN
    width = heads.shape[1] * 8
    next_asked = 0
    for i in range(len(values)):
        ahead = i + _ROW_AHEAD
        if ahead < len(values) and slots[ahead] >= 0:
            fetch(heads, slots[ahead] * width)
            for k in range(first * 4, (first + n_blocks) * 4, _LINE):
                fetch(heads, slots[ahead] * width + k)
        ahead = i + _BLOCKS_AHEAD
        if ahead < len(values) and slots[ahead] >= 0:
            for k in range(first, first + n_blocks):
                if places[slots[ahead], k] != 0:
                    fetch(sums, np.int64(places[slots[ahead], k]) * (8 * GRAIN))
        s = slots[i]
        if next_asked < len(asked) and asked[next_asked] == i:
            known = s >= 0 and heads[s, since] > 0.0
            for j in range(n_always):
                at = np.int64(places[s, first + j // GRAIN]) * GRAIN + j % GRAIN if known else 0
                before[next_asked, j] = sums[at] if known else np.nan
            for j in range(n_sometimes):
                at = np.int64(places[s, second + 2 * j // GRAIN]) * GRAIN + 2 * j % GRAIN if s >= 0 else 0
                before[next_asked, n_always + j] = sums[at + 1] if sums[at] > 0.0 else np.nan
            next_asked += 1
        if s < 0:
            continue
        now = np.float64(times[i])
        latest = heads[s, since]
        known_since = latest
        weight = 1.0 - math.exp(-max(times[i] - latest, 0.0) / memory)
        for start in range(0, n_always, GRAIN):
            column = first + start // GRAIN
            end = min(start + GRAIN, n_always)
            if places[s, column] == 0:
                something = False
                for j in range(start, end):
                    something = something or values[i, always[j]] != 0.0
                if not something:
                    continue
            at = block_of(places, s, column, 1, used) * GRAIN - start
            for j in range(start, end):
                v = values[i, always[j]]
                if latest > 0.0:
                    sums[at + j] += weight * (v - sums[at + j])
                else:
                    sums[at + j] = v
        heads[s, since] = max(latest, now)
        for j in range(n_sometimes):
            v = values[i, sometimes[j]]
            if math.isnan(v):
                continue
            at = block_of(places, s, second + 2 * j // GRAIN, 1, used) * GRAIN + 2 * j % GRAIN
            last = sums[at]
            if last == 0.0:
                sums[at + 1] = v
            else:
                if last != known_since:
                    known_since = last
                    weight = 1.0 - math.exp(-max(times[i] - last, 0.0) / memory)
                sums[at + 1] += weight * (v - sums[at + 1])
            sums[at] = max(last, now)


@bare
def slots_of(rows, table, heads, tokens, count, lifetime, now, entity_slots):  # type: ignore[no-untyped-def]
    """Find each row's entity in the table, giving new ones the next slot; gives (count, latest recorded time).

    `tokens` are the rows' heads as uint64. An entity unseen for its lifetime is new again: it gets a new row of state,
    and with it new pairs. The old row stays for the rows before this one, and goes when the table next grows.
    """
    mask = np.uint64(len(table) - 1)
    width = heads.shape[1] * 8
    for i in range(len(rows)):
        ahead = i + _TABLE_AHEAD
        if ahead < len(rows):
            fetch(table, np.int64(_own_hash(rows[ahead].own_hi, rows[ahead].own_lo) & mask) * 8)
        ahead = i + _HEADS_AHEAD
        if ahead < len(rows):
            found = table[_own_hash(rows[ahead].own_hi, rows[ahead].own_lo) & mask] & _LOW
            if found != 0:
                fetch(heads, (np.int64(found) - 1) * width)
        hi, lo = rows[i].own_hi, rows[i].own_lo
        now = max(now, rows[i].recorded)
        mixed = _own_hash(hi, lo)
        at = mixed & mask
        slot = np.int64(-1)
        is_new = False
        while True:
            found = table[at]
            if found == 0:
                is_new = True
                break
            if (found & _HIGH) == (mixed & _HIGH):
                slot = np.int64(found & _LOW) - 1
                if tokens[slot, 3] == hi and tokens[slot, 4] == lo:
                    if heads[slot, 1] > 0.0 and np.int64(heads[slot, 1]) + lifetime < now:
                        is_new = True
                    break
            at = (at + np.uint64(1)) & mask
        looks = rows[i].role == _PEEK
        if is_new:
            slot = np.int64(-1)
            if not looks:
                slot = count
                count += 1
                table[at] = (mixed & _HIGH) | np.uint64(slot + 1)
                tokens[slot, 3], tokens[slot, 4] = hi, lo
        if slot >= 0 and not looks:
            # already now: the entity's next row may be in this same batch, and a lifetime later
            heads[slot, 1] = max(heads[slot, 1], np.float64(rows[i].recorded))
        entity_slots[i] = slot
    return count, now


assert HEADER == 5

Floats = npt.NDArray[np.float64]
