"""The graph of gated payments: where money came from, where it goes, and whether it comes back.

Money of a fraud passes through several accounts within hours: gathered, passed on, split, gathered again, and sometimes
led back to where it began. One account sees only its neighbours; here the gated payments of all are one graph of the
last week, walked backwards from each payment. A path counts only when its payments follow one another in time.

What is remembered is the payments of the window and nothing else: each account's latest payments in and out are read
newest first, at most `WALKED` of them, and a search looks at `SEARCHED` payments at most; both bounds are counted when
they cut something off.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from events.kernels import njit
from features.declare import duration
from features.network import Carried, Floats, Named, Network, NetworkState, Told, declare
from features.rows import Role, Rows

WALKED: Final = 48
"""An account's latest payments (in, or out) that are looked at."""
SEARCHED: Final = 384
"""Payments that one search upstream looks at."""
HOPS: Final = 5
LONGEST: Final = 16
"""A chain is counted up to this many payments."""

declare(
    "graph",
    [
        ("chain_24h", "payments in a row that passed about the same sum straight on, this one included", "", ""),
        ("flow_24h", "payments in a row out of what had just come in, in one sum or in parts", "", ""),
        ("covered", "share of what came in shortly before that this payment passes on", "share", ""),
        ("waited", "time since the money that this payment passes on came in", "hours", ""),
        ("upstream_7d", "accounts from which money has come within five payments in a week", "", "7d"),
        ("payers_24h", "accounts that paid the payer in a day", "", "24h"),
        ("payers_7d", "accounts that paid the payer in a week", "", "7d"),
        ("payees_24h", "accounts that the payer has paid in a day", "", "24h"),
        ("payees_7d", "accounts that the payer has paid in a week", "", "7d"),
        ("fellows_24h", "accounts that have paid the payee in a day", "", "24h"),
        ("fellows_7d", "accounts that have paid the payee in a week", "", "7d"),
        ("onward_7d", "accounts that the payee has paid in a week", "", "7d"),
        ("payers_of_payers_7d", "accounts two payments upstream of the payer in a week", "", "7d"),
        ("payees_of_payees_7d", "accounts two payments downstream of the payee in a week", "", "7d"),
        ("middles_7d", "accounts through which money of one origin came to the payee, in a week", "", "7d"),
        ("cycle", "payments in the shortest circle that this one closes (2 to 5; 0: none)", "", ""),
        ("came_back", "share of the sum that set out on that circle which has come back", "share", ""),
        ("round_hours", "time the circle took", "hours", ""),
        ("passing_payers_24h", "accounts that pass money on, or look like mules, and paid the payee in a day", "", "24h"),
        ("upstream_like", "how like a mule the likest of the payer's payers of a week is", "", "7d"),
        ("payee_like", "how like a mule the payee is", "", ""),
        ("out_over_in_7d", "sent for each pound received in the graph in a week, by the payer", "ratio", "7d"),
        ("repeats_7d", "earlier payments from this payer to this payee in a week", "", "7d"),
        ("same_sum_7d", "share of the payee's other receipts of a week that are about the same sum", "share", "7d"),
    ],
)  # fmt: skip
_COLUMNS: Final = 24

EDGE: Final = np.dtype(
    [
        ("ts", "i8"),
        ("clock", "i8"),  # the latest time of any payment so far: by this it leaves the window
        ("amount", "f8"),
        ("u_like", "f4"),
        ("v_like", "f4"),
        ("u", "i4"),
        ("v", "i4"),
        ("before_in", "i4"),  # the payee's payment in before this one; -1: none
        ("before_out", "i4"),  # the payer's payment out before this one
        ("chain", "i2"),
        ("flow", "i2"),
        ("spare", "i4"),
    ],
    align=True,
)
"""One payment: 56 bytes."""

_FIRST_ACCOUNTS: Final = 1024
_FIRST_EDGES: Final = 2048
_PAYER: Final = int(Role.PAYER)
_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US


@dataclass(frozen=True)
class PaymentGraph(Network):
    """The declaration; its fields say what counts as passing on, and which carried columns say who is like a mule.

    Edges are the payer's rows of transfers. `payer_like`, `payee_like`: carried columns that tell how like a mule each
    side is (any scale; from `like_from` on it counts); absent or NaN: not at all. All columns are `graph.…`.
    """

    name: ClassVar[str] = "graph"
    payer_like: str = ""
    payee_like: str = ""
    like_from: float = 2.0
    dwell: str = "24h"
    """Money is passed on when it leaves within this time of coming in."""
    window: str = "7d"
    least: float = 0.5
    most: float = 1.05
    """A payment passes another on when it is at least and at most this share of it."""

    def reads(self) -> tuple[str, ...]:
        """The columns its fields name."""
        return tuple(name for name in (self.payer_like, self.payee_like) if name)

    def begin(self) -> NetworkState:
        """No payment is known."""
        return GraphState(self)


class GraphState:
    """The payments of the window, as lists through each account's payments in and out."""

    def __init__(self, declared: PaymentGraph) -> None:
        self.declared = declared
        self.window = duration(declared.window)
        self.dwell = duration(declared.dwell)
        self.now = 0
        self.cut = 0
        self.count = 0  # payments held
        self.accounts = 0
        self.edges = np.zeros(_FIRST_EDGES, dtype=EDGE)
        self._make_accounts(_FIRST_ACCOUNTS)

    def _make_accounts(self, room: int) -> None:
        self.accounts = 0
        self.hi = np.zeros(room, dtype=np.uint64)
        self.lo = np.zeros(room, dtype=np.uint64)
        self.last_in = np.full(room, -1, dtype=np.int32)
        self.last_out = np.full(room, -1, dtype=np.int32)
        self.table = np.full(2 * room, -1, dtype=np.int32)
        self.mark = np.zeros(room, dtype=np.int64)
        self.label = np.zeros(room, dtype=np.int64)
        self.stamp = 0

    def take(self, rows: Rows, carried: Carried) -> Told:
        """Take payments in the one order; gives what the graph tells of each, itself included."""
        d = self.declared
        payer_like = _like(carried, d.payer_like, len(rows))
        payee_like = _like(carried, d.payee_like, len(rows))
        out = np.full((len(rows), _COLUMNS), np.nan)
        self._make_room(len(rows))
        self.count, self.accounts, self.now, self.cut, self.stamp = (
            int(n)
            for n in _walk(
                rows, payer_like, payee_like, self.edges, self.count, self.hi, self.lo, self.table, self.accounts,
                self.last_in, self.last_out, self.mark, self.label, self.stamp, self.now, self.cut,
                self.window, self.dwell, d.least, d.most, d.like_from, out,
            )
        )  # fmt: skip
        return Told(out)

    def _make_room(self, coming: int) -> None:
        if self.count + coming <= len(self.edges) and self.accounts + 2 * coming <= len(self.hi):
            return
        living, hi, lo = self._living()
        room = len(self.edges)
        while len(living) + coming > 0.75 * room:
            room *= 2
        self._rebuild(living, hi, lo, room, coming)

    def _living(self) -> tuple[npt.NDArray[np.void], npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        """The payments of the window, in order, and the tokens of both sides of each."""
        held = self.edges[: self.count]
        living = held[held["clock"] >= self.now - self.window]
        hi = np.stack([self.hi[living["u"]], self.hi[living["v"]]], axis=1)
        lo = np.stack([self.lo[living["u"]], self.lo[living["v"]]], axis=1)
        return living, hi, lo

    def _rebuild(
        self,
        living: npt.NDArray[np.void],
        hi: npt.NDArray[np.uint64],
        lo: npt.NDArray[np.uint64],
        room: int,
        coming: int,
    ) -> None:
        accounts = _FIRST_ACCOUNTS
        while 2 * (len(living) + coming) > accounts:
            accounts *= 2
        self._make_accounts(accounts)
        self.edges = np.zeros(room, dtype=EDGE)
        self.edges[: len(living)] = living
        self.count = len(living)
        self.accounts = int(
            _relink(self.edges, self.count, hi, lo, self.hi, self.lo, self.table, self.last_in, self.last_out)
        )

    # --------------------------------------------------------------------------------------------------- state as data

    def close(self, who: Named, ts: int) -> None:
        """A decision changes nothing of what was paid."""

    def dump(self) -> dict[str, Any]:
        """All that is remembered, as plain data."""
        living, hi, lo = self._living()
        plain = {name: np.ascontiguousarray(living[name]) for name in _KEPT}
        return plain | {"hi": hi, "lo": lo, "numbers": [self.now, self.cut]}

    def load(self, plain: dict[str, Any]) -> None:
        """Take up dumped state."""
        self.now, self.cut = plain["numbers"]
        living = np.zeros(len(plain["ts"]), dtype=EDGE)
        for name in _KEPT:
            living[name] = plain[name]
        room = _FIRST_EDGES
        while len(living) > 0.75 * room:
            room *= 2
        self._rebuild(living, plain["hi"].reshape(-1, 2), plain["lo"].reshape(-1, 2), room, 0)

    def digest(self) -> str:
        """A digest of what is remembered."""
        hasher = blake2b(digest_size=16)
        for name, held in self.dump().items():
            hasher.update(name.encode())
            hasher.update(held.tobytes() if isinstance(held, np.ndarray) else repr(held).encode())
        return hasher.hexdigest()

    def sizes(self) -> tuple[int, int, int]:
        """Accounts in the window (about), bytes, and how often a bound cut something off."""
        arrays = (
            self.edges,
            self.hi,
            self.lo,
            self.last_in,
            self.last_out,
            self.table,
            self.mark,
            self.label,
        )
        return self.accounts, int(sum(array.nbytes for array in arrays)), self.cut


_KEPT: Final = ("ts", "clock", "amount", "u_like", "v_like", "chain", "flow")


def _like(carried: Carried, name: str, n: int) -> Floats:
    return np.ascontiguousarray(carried[name]) if name else np.full(n, np.nan)


@njit(cache=True)
def _account(hi, lo, his, los, table, count):  # type: ignore[no-untyped-def]
    """An account's place, given to it when it is new; gives (place, accounts)."""
    mask = np.uint64(len(table) - 1)
    at = (lo ^ (lo >> np.uint64(32)) ^ hi) & mask
    while table[at] >= 0:
        if los[table[at]] == lo and his[table[at]] == hi:
            return np.int64(table[at]), count
        at = (at + np.uint64(1)) & mask
    table[at] = count
    his[count], los[count] = hi, lo
    return np.int64(count), count + 1


@njit(cache=True)
def _relink(edges, count, hi, lo, his, los, table, last_in, last_out):  # type: ignore[no-untyped-def]
    """Lead the lists through payments that have moved; gives the number of accounts."""
    accounts = 0
    for i in range(count):
        u, accounts = _account(hi[i, 0], lo[i, 0], his, los, table, accounts)
        v, accounts = _account(hi[i, 1], lo[i, 1], his, los, table, accounts)
        edges[i].u, edges[i].v = u, v
        edges[i].before_in, edges[i].before_out = last_in[v], last_out[u]
        last_in[v], last_out[u] = i, i
    return accounts


@njit(cache=True)
def _count_others(edges, at, incoming, since, day, mark, stamp):  # type: ignore[no-untyped-def]
    """Different accounts on the other side of an account's payments, in the window and in a day; and a bound's cut.

    Marks those of the window with the stamp.
    """
    week = 0
    recent = 0
    walked = 0
    while at >= 0 and edges[at].clock >= since:
        if walked == WALKED:
            return week, recent, 1
        walked += 1
        other = edges[at].u if incoming else edges[at].v
        if mark[other] != stamp:
            mark[other] = stamp
            week += 1
            if edges[at].clock >= day:  # newest first, so its latest payment decides
                recent += 1
        at = edges[at].before_in if incoming else edges[at].before_out
    return week, recent, 0


@njit(cache=True)
def _second_ring(edges, at, incoming, last, since, here, mark, stamp):  # type: ignore[no-untyped-def]
    """Different accounts two payments away in the order of time, the account itself left out; and cuts."""
    found = 0
    cut = 0
    walked = 0
    looked = 0
    while at >= 0 and edges[at].clock >= since:
        if walked == WALKED:
            cut += 1
            break
        walked += 1
        other = edges[at].u if incoming else edges[at].v
        limit = edges[at].ts
        step = last[other]
        near = 0
        while step >= 0 and edges[step].clock >= since:
            if near == WALKED or looked == SEARCHED:
                cut += 1
                break
            near += 1
            looked += 1
            far = edges[step].u if incoming else edges[step].v
            in_time = edges[step].ts <= limit if incoming else edges[step].ts >= limit
            if in_time and far != here and mark[far] != stamp:
                mark[far] = stamp
                found += 1
            step = edges[step].before_in if incoming else edges[step].before_out
        at = edges[at].before_in if incoming else edges[at].before_out
    return found, cut


@njit(cache=True)
def _upstream(edges, u, v, ts, since, last_in, mark, label, stamp, front, limits, coming, next_limits):  # type: ignore[no-untyped-def]
    """Search backwards from the payer, each payment no later than the one after it.

    Gives: different accounts found within five payments (payer and payee not counted); payments of the shortest way
    from the payee to the payer within four (0: none), when it set out and with how much; cuts.
    """
    mark[u] = stamp
    front[0], limits[0] = u, ts
    size = 1
    found = 0
    looked = 0
    cut = 0
    way = 0
    set_out = np.int64(0)
    sum_out = 0.0
    for hop in range(1, HOPS + 1):
        more = 0
        for k in range(size):
            limit = limits[k]
            at = last_in[front[k]]
            walked = 0
            while at >= 0 and edges[at].clock >= since:
                if walked == WALKED or looked == SEARCHED:
                    cut = 1
                    break
                walked += 1
                looked += 1
                edge = edges[at]
                at = edge.before_in
                if edge.ts > limit:
                    continue
                x = edge.u
                if x == v:
                    if hop < HOPS and (way == 0 or (way == hop and edge.ts > set_out)):
                        way, set_out, sum_out = hop, edge.ts, edge.amount
                    continue
                if x == u:
                    continue
                if mark[x] != stamp:
                    mark[x] = stamp
                    found += 1
                elif edge.ts <= label[x]:
                    continue  # seen before, and with as much time to spare for what led to it
                label[x] = edge.ts
                coming[more], next_limits[more] = x, edge.ts
                more += 1
        for k in range(more):
            front[k], limits[k] = coming[k], next_limits[k]
        size = more
        if size == 0 or looked == SEARCHED:
            break
    return found, way, set_out, sum_out, cut


@njit(cache=True)
def _middles(edges, u, v, ts, since, last_in, mark, stamp, seen):  # type: ignore[no-untyped-def]
    """Accounts through which money of an origin of the payer's also came to the payee; this one counts when others do."""
    origins = 0
    at = last_in[u]
    walked = 0
    while at >= 0 and edges[at].clock >= since and walked < WALKED:
        walked += 1
        if edges[at].ts <= ts and edges[at].u != v:
            mark[edges[at].u] = stamp
            origins += 1
        at = edges[at].before_in
    if origins == 0:
        return 0
    middles = 0
    looked = 0
    at = last_in[v]
    walked = 0
    while at >= 0 and edges[at].clock >= since and walked < WALKED:
        walked += 1
        m = edges[at].u
        limit = edges[at].ts
        at = edges[at].before_in
        if m == u or m == v or seen[m] == stamp:
            continue
        step = last_in[m]
        while step >= 0 and edges[step].clock >= since and looked < SEARCHED:
            looked += 1
            s = edges[step].u
            if edges[step].ts <= limit and s != m and mark[s] == stamp:
                seen[m] = stamp
                middles += 1
                break
            step = edges[step].before_in
    return middles + 1 if middles > 0 else 0


@njit(cache=True)
def _walk(  # type: ignore[no-untyped-def]
    rows, payer_like, payee_like, edges, count, his, los, table, accounts, last_in, last_out, mark, label, stamp,
    now, cut, window, dwell, least, most, like_from, out,
):  # fmt: skip
    """Take payments in order: look at the graph, then put each into it."""
    front = np.empty(SEARCHED + 1, dtype=np.int64)
    coming = np.empty(SEARCHED + 1, dtype=np.int64)
    limits = np.empty(SEARCHED + 1, dtype=np.int64)
    next_limits = np.empty(SEARCHED + 1, dtype=np.int64)
    for i in range(len(rows)):
        row = rows[i]
        if row.role != _PAYER or (row.other_lo == 0 and row.other_hi == 0):
            continue
        if row.other_lo == row.own_lo and row.other_hi == row.own_hi:
            continue
        u, accounts = _account(row.own_hi, row.own_lo, his, los, table, accounts)
        v, accounts = _account(row.other_hi, row.other_lo, his, los, table, accounts)
        ts = row.ts
        amount = 0.0 if np.isnan(row.value) else row.value
        now = max(now, ts)
        since = now - window
        day = now - _DAY_US

        # what came in shortly before, and how far it had come
        chain = 1
        flow = 1
        came = 0.0
        gone = amount
        waited = np.nan
        likest = np.nan
        total_in = 0.0
        at = last_in[u]
        walked = 0
        while at >= 0 and edges[at].clock >= since:
            if walked == WALKED:
                cut += 1
                break
            walked += 1
            edge = edges[at]
            at = edge.before_in
            if edge.ts > ts:
                continue
            total_in += edge.amount
            if not np.isnan(edge.u_like) and not edge.u_like <= likest:
                likest = edge.u_like
            if ts - edge.ts <= dwell:
                came += edge.amount
                flow = max(flow, edge.flow + 1)
                if least * edge.amount <= amount <= most * edge.amount:
                    chain = max(chain, edge.chain + 1)
                    if np.isnan(waited):
                        waited = (ts - edge.ts) / _HOUR_US
        repeats = 0
        total_out = amount
        at = last_out[u]
        walked = 0
        while at >= 0 and edges[at].clock >= since and walked < WALKED:
            walked += 1
            edge = edges[at]
            at = edge.before_out
            if edge.ts > ts:
                continue
            total_out += edge.amount
            repeats += edge.v == v
            if ts - edge.ts <= dwell:
                gone += edge.amount
        if came == 0.0 or gone > most * came:
            flow = 1
        chain, flow = min(chain, LONGEST), min(flow, LONGEST)

        # who paid the payee, and how
        passing = 1 if chain > 1 or flow > 1 or payer_like[i] >= like_from else 0
        receipts = 0
        same = 0
        stamp += 1
        mark[u] = stamp
        at = last_in[v]
        walked = 0
        while at >= 0 and edges[at].clock >= since and walked < WALKED:
            walked += 1
            edge = edges[at]
            at = edge.before_in
            receipts += 1
            same += 0.9 * amount <= edge.amount <= 1.1 * amount
            if edge.clock >= day and mark[edge.u] != stamp:
                if edge.chain > 1 or edge.flow > 1 or edge.u_like >= like_from:
                    mark[edge.u] = stamp
                    passing += 1

        edges[count].ts, edges[count].clock, edges[count].amount = ts, now, amount
        edges[count].u_like, edges[count].v_like = payer_like[i], payee_like[i]
        edges[count].u, edges[count].v, edges[count].chain, edges[count].flow = u, v, chain, flow
        edges[count].before_in, edges[count].before_out = last_in[v], last_out[u]

        out[i, 0], out[i, 1] = chain, flow
        if came > 0.0:
            out[i, 2] = amount / came
        out[i, 3] = waited
        stamp += 1
        found, way, set_out, sum_out, less = _upstream(
            edges, u, v, ts, since, last_in, mark, label, stamp, front, limits, coming, next_limits
        )
        cut += less
        out[i, 4] = found
        stamp += 1
        out[i, 6], out[i, 5], less = _count_others(edges, last_in[u], True, since, day, mark, stamp)
        cut += less
        stamp += 1
        mark[u] = stamp
        out[i, 12], less = _second_ring(edges, last_in[u], True, last_in, since, u, mark, stamp)
        cut += less
        stamp += 1
        out[i, 11], _, less = _count_others(edges, last_out[v], False, since, day, mark, stamp)
        cut += less
        stamp += 1
        mark[v] = stamp
        out[i, 13], less = _second_ring(edges, last_out[v], False, last_out, since, v, mark, stamp)
        cut += less
        stamp += 1
        out[i, 14] = _middles(edges, u, v, ts, since, last_in, mark, stamp, label)
        out[i, 15] = way + 1 if way > 0 else 0
        if way > 0:
            out[i, 16] = min(amount, sum_out) / max(amount, sum_out, 1e-9)
            out[i, 17] = (ts - set_out) / _HOUR_US
        out[i, 18] = passing
        out[i, 19] = likest
        out[i, 20] = payee_like[i]
        if total_in > 0.0:
            out[i, 21] = total_out / total_in
        out[i, 22] = repeats
        if receipts > 0:
            out[i, 23] = same / receipts

        last_in[v], last_out[u] = count, count
        count += 1
        stamp += 1
        out[i, 8], out[i, 7], less = _count_others(edges, last_out[u], False, since, day, mark, stamp)
        cut += less
        stamp += 1
        out[i, 10], out[i, 9], less = _count_others(edges, last_in[v], True, since, day, mark, stamp)
        cut += less
    return count, accounts, now, cut, stamp
