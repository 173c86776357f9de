"""The graph of payments against a slow reading of its words, and the same however it is fed or kept."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import network_graph
from features.network_graph import PaymentGraph
from features.rows import Role, Rows, empty_rows

HOUR = 3_600_000_000
START = 1_772_000_000_000_000
GRAPH = PaymentGraph(payer_like="payer", payee_like="payee", dwell="6h")

PAYMENTS = st.lists(
    st.tuples(
        st.integers(0, 30 * HOUR),  # since the one before, mostly little
        st.integers(0, 6),  # how late it comes, in hours
        st.integers(1, 7),
        st.integers(1, 7),
        st.sampled_from([50.0, 98.0, 100.0, 103.0, 200.0, math.nan]),
        st.sampled_from([math.nan, 0.0, 2.0, 5.0]),
        st.sampled_from([math.nan, 0.0, 3.0]),
    ),
    max_size=40,
)


def rows_of(payments: list[tuple[Any, ...]]) -> tuple[Rows, dict[str, Any]]:
    rows = empty_rows(len(payments))
    now = START
    for i, (gap, late, payer, payee, amount, _, _) in enumerate(payments):
        now += gap // 8
        rows[i]["seq"], rows[i]["ts"] = i, now - (late * HOUR if late > 4 else 0)
        rows[i]["own_hi"], rows[i]["own_lo"] = 7, payer
        rows[i]["other_hi"], rows[i]["other_lo"] = 7, payee
        rows[i]["value"], rows[i]["role"] = amount, Role.PAYER
    return rows, {
        "payer": np.array([p[5] for p in payments]),
        "payee": np.array([p[6] for p in payments]),
    }


class Slow:
    """The words, read one by one over a list of payments."""

    def __init__(self) -> None:
        self.paid: list[dict[str, Any]] = []
        self.now = 0

    def take(self, u: int, v: int, ts: int, a: float, ul: float, vl: float) -> dict[str, float]:
        a = 0.0 if math.isnan(a) else a
        self.now = max(self.now, ts)
        week = [p for p in self.paid if p["clock"] >= self.now - 168 * HOUR]
        day = [p for p in week if p["clock"] >= self.now - 24 * HOUR]
        into_u = [p for p in week if p["v"] == u]
        before = [p for p in into_u if p["ts"] <= ts]
        fresh = [p for p in before if ts - p["ts"] <= 6 * HOUR]
        passed = [p for p in fresh if 0.5 * p["a"] <= a <= 1.05 * p["a"]]
        sent = [p for p in week if p["u"] == u and p["ts"] <= ts]
        came, gone = sum(p["a"] for p in fresh), a + sum(p["a"] for p in sent if ts - p["ts"] <= 6 * HOUR)
        chain = min(16, 1 + max((p["chain"] for p in passed), default=0))
        flow = 1 + max((p["flow"] for p in fresh), default=0)
        flow = 1 if came == 0.0 or gone > 1.05 * came else min(16, flow)
        into_v = [p for p in week if p["v"] == v]
        passing = {p["u"] for p in day if p["v"] == v and (p["chain"] > 1 or p["flow"] > 1 or p["ul"] >= 2.0)}
        passing -= {u}
        out = {
            "chain_24h": chain,
            "flow_24h": flow,
            "covered": a / came if came > 0 else math.nan,
            "waited": (ts - passed[-1]["ts"]) / HOUR if passed else math.nan,
            "payers_24h": len({p["u"] for p in day if p["v"] == u}),
            "payers_7d": len({p["u"] for p in into_u}),
            "payees_24h": len({p["v"] for p in day if p["u"] == u} | {v}),
            "payees_7d": len({p["v"] for p in week if p["u"] == u} | {v}),
            "fellows_24h": len({p["u"] for p in day if p["v"] == v} | {u}),
            "fellows_7d": len({p["u"] for p in into_v} | {u}),
            "onward_7d": len({p["v"] for p in week if p["u"] == v}),
            "payers_of_payers_7d": len(
                {q["u"] for p in into_u for q in week if q["v"] == p["u"] and q["ts"] <= p["ts"]} - {u}
            ),
            "payees_of_payees_7d": len(
                {q["v"] for p in week if p["u"] == v for q in week if q["u"] == p["v"] and q["ts"] >= p["ts"]}
                - {v}
            ),
            "passing_payers_24h": len(passing) + (chain > 1 or flow > 1 or ul >= 2.0),
            "upstream_like": max((p["ul"] for p in before if not math.isnan(p["ul"])), default=math.nan),
            "payee_like": vl,
            "repeats_7d": sum(p["v"] == v for p in sent),
            "same_sum_7d": sum(0.9 * a <= p["a"] <= 1.1 * a for p in into_v) / len(into_v)
            if into_v
            else math.nan,
        }
        total = sum(p["a"] for p in before)
        out["out_over_in_7d"] = (a + sum(p["a"] for p in sent)) / total if total > 0 else math.nan
        out |= self._paths(week, u, v, ts, a)
        origins = {p["u"] for p in before} - {v}
        middles = {
            p["u"]
            for p in into_v
            if p["u"] not in (u, v)
            and any(
                q["v"] == p["u"] and q["ts"] <= p["ts"] and q["u"] in origins and q["u"] != p["u"]
                for q in week
            )
        }
        out["middles_7d"] = len(middles) + 1 if middles else 0
        self.paid.append(
            {"u": u, "v": v, "ts": ts, "a": a, "ul": ul, "clock": self.now, "chain": chain, "flow": flow}
        )
        return out

    def _paths(self, week: list[dict[str, Any]], u: int, v: int, ts: int, a: float) -> dict[str, float]:
        """Every way upstream, one payment after the other."""
        reached: set[int] = set()
        circles: list[tuple[int, int, int]] = []
        for ways in self._ways(week, u, ts, v):
            first = ways[-1]
            if first["u"] == v:
                if len(ways) < 5:
                    circles.append((len(ways), -first["ts"], week.index(first)))
            else:
                reached.add(first["u"])
        out = {
            "upstream_7d": float(len(reached - {u, v})),
            "cycle": 0.0,
            "came_back": math.nan,
            "round_hours": math.nan,
        }
        if circles:
            length, minus_ts, _ = min(circles)
            sums = [week[k]["a"] for n, t, k in circles if (n, t) == (length, minus_ts)]
            out["cycle"], out["round_hours"] = length + 1, (ts + minus_ts) / HOUR
            out["came_back"] = {min(a, s) / max(a, s, 1e-9) for s in sums}  # type: ignore[assignment]
        return out

    def _ways(self, week: list[Any], node: int, limit: int, v: int, depth: int = 1) -> Iterator[list[Any]]:
        for p in week:
            if p["v"] == node and p["ts"] <= limit:
                yield [p]
                if depth < 5 and p["u"] != v:
                    for rest in self._ways(week, p["u"], p["ts"], v, depth + 1):
                        yield [p, *rest]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(payments=PAYMENTS)
def test_every_column_is_what_its_words_say(payments: list[tuple[Any, ...]]) -> None:
    rows, carried = rows_of(payments)
    told = GRAPH.begin().take(rows, carried).values
    slow, names = Slow(), [name.partition(".")[2] for name in GRAPH.told]
    for i, (_, _, u, v, a, ul, vl) in enumerate(payments):
        if u == v:
            assert np.isnan(told[i]).all()
            continue
        expected = slow.take(u, v, int(rows[i]["ts"]), a, ul, vl)
        assert expected.keys() == set(names)
        for name, value in zip(names, told[i], strict=True):
            want = expected[name]
            if isinstance(want, set):
                assert any(math.isclose(value, each) for each in want), (i, name)
            else:
                assert value == pytest.approx(want, nan_ok=True), (i, name)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(payments=PAYMENTS, cuts=st.lists(st.integers(1, 9), min_size=1, max_size=8), again=st.booleans())
def test_batches_and_restarts_change_nothing(payments: list[Any], cuts: list[int], again: bool) -> None:
    rows, carried = rows_of(payments)
    whole = GRAPH.begin()
    expected = whole.take(rows, carried).values
    state, parts, at = GRAPH.begin(), [], 0
    while at < len(rows):
        size = cuts[at % len(cuts)]
        end = min(len(rows), at + size)
        parts.append(state.take(rows[at:end], {k: c[at:end] for k, c in carried.items()}).values)
        if again:
            kept, state = state.dump(), GRAPH.begin()
            state.load(kept)
        at = end
    if parts:
        assert np.array_equal(np.concatenate(parts), expected, equal_nan=True)
    assert state.digest() == whole.digest()


def test_memory_follows_the_window_and_not_the_stream() -> None:
    state, rng = GRAPH.begin(), np.random.default_rng(3)
    like = {"payer": np.full(5_000, np.nan), "payee": np.full(5_000, np.nan)}
    sizes = []
    for month in range(8):
        rows = empty_rows(5_000)
        rows["ts"] = START + month * 30 * 24 * HOUR + np.sort(rng.integers(0, 30 * 24 * HOUR, 5_000))
        rows["own_lo"], rows["other_lo"] = rng.integers(1, 400, 5_000), rng.integers(400, 900, 5_000)
        rows["value"] = 100.0
        state.take(rows, like)
        sizes.append(state.sizes()[1])
    assert sizes[-1] == sizes[2]


def test_an_account_with_very_many_payments_is_cut_off_and_counted() -> None:
    rows = empty_rows(400)
    rows["ts"] = START + np.arange(400) * 1_000_000
    rows["own_lo"], rows["other_lo"], rows["value"] = 5, np.arange(10, 410), 1.0
    state = PaymentGraph().begin()
    told = state.take(rows, {}).values
    assert told[-1, GRAPH.told.index("graph.payees_7d")] == network_graph.WALKED
    assert state.sizes()[2] > 0
