"""Halves of two streams meet under a number: once a pair, in the one order, however ticks were cut."""

import json
import random
from collections.abc import Iterable
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.record import Happening
from detectors.call_during_payment import CallDuringPayment
from detectors.cross import PAYMENT, TELECOMS, CrossDetector, Happened
from detectors.line_and_money import LineAndMoney
from features.rows import Flag, Kind, Role
from flows.evidence import Evidence
from flows.noting import Crossed, Note
from flows.pairing import MOST_WAITING, Pairing
from flows.plain import pack, unpack
from flows.second_pass import Scored
from flows.split import Names, Rule
from flows.subject_hop import SubjectHop
from flows.ties import Tie, TieHop, latest_events

MINUTE = 60_000_000
HOUR = 60 * MINUTE
NUMBER = (7, 4)
BOTH: tuple[type[CrossDetector], ...] = (CallDuringPayment, LineAndMoney)

STRONG = {
    "transfer_deviation": 6.0, "payment_amount": 400_000.0, "payee_age": 0.0, "other.account_age": 9.0,
    "other.first_payments_7d": 6.0, "since_limit_changed": 60.0, "caller_age": 0.0,
}  # fmt: skip


def _note(
    seq: int,
    side: str,
    ts: int,
    *,
    detector: type[CrossDetector] = CallDuringPayment,
    number: tuple[int, int] = NUMBER,
    own: int = 1,
    other: int = 2,
    value: float = 600.0,
    flags: int = 0,
    recorded: int | None = None,
    values: dict[str, float] | None = None,
) -> Note:
    paying = side == PAYMENT
    happened = Happened(
        seq, ts, ts if recorded is None else recorded, 0, own if paying else number[1], 0, other, value, 0.0,
        int(flags), 0, 0, int(Kind.FPS if paying else Kind.CALL), int(Role.PAYER if paying else Role.IN), 0, 0, 0, 0,
    )  # fmt: skip
    carried = tuple((values or STRONG).get(name, 0.0) for name in detector.carried(side))
    return Note(detector.id, side, number, happened, carried, carried)


def _payment(seq: int, ts: int, **more: Any) -> Note:
    return _note(seq, PAYMENT, ts, flags=Flag.NEW_PAYEE | Flag.COP_BAD | Flag.COP_OVERRIDDEN, **more)


def _call(seq: int, began: int, minutes: int, **more: Any) -> Note:
    """The record of a whole call, there when it is over."""
    flags = Flag.FINAL | Flag.ANSWERED | Flag.ABROAD_IN
    return _note(
        seq, TELECOMS, began, value=60.0 * minutes, recorded=began + minutes * MINUTE, flags=flags, **more
    )


def _begins(seq: int, began: int, **more: Any) -> Note:
    return _note(seq, TELECOMS, began, value=float("nan"), flags=Flag.STARTING | Flag.ABROAD_IN, **more)


def _ends(seq: int, ended: int, minutes: int, **more: Any) -> Note:
    """The record of a call's end alone."""
    return _note(seq, TELECOMS, ended, value=60.0 * minutes, flags=Flag.FINAL | Flag.ABROAD_IN, **more)


def _worked(*notes: Note, rules: tuple[Rule, ...] = ()) -> list[Evidence]:
    return Pairing(BOTH).work(notes, None, rules)[0]


# ------------------------------------------------------------------------------------------------------- one pair


def test_a_payment_while_a_call_goes_on_is_scored_at_once() -> None:
    (one,) = _worked(_begins(1, 0), _payment(2, 20 * MINUTE))
    assert one.seq == 2
    assert one.fire is not None
    assert one.fire.whole().features["between.call_minutes"] == 20.0
    assert {f.name: f.value for f in one.fire.whole().facts}["between.seen_live"] == 1


def test_a_payment_during_a_call_told_of_afterwards_is_scored_then() -> None:
    (one,) = _worked(_payment(1, 20 * MINUTE), _call(2, 0, 45))
    assert one.seq == 2
    assert one.fire is not None
    facts = {f.name: f.value for f in one.fire.whole().facts}
    assert one.fire.whole().features["between.call_minutes"] == 20.0
    assert facts["between.seen_live"] == 0
    assert facts["between.known_after"] == 25


@pytest.mark.parametrize(
    ("after", "fires"), [(10, True), (29, True), (31, False)], ids=["10 min", "29 min", "31 min"]
)
def test_only_half_an_hour_after_the_call_counts(after: int, fires: bool) -> None:
    assert bool(_worked(_call(1, 0, 15), _payment(2, (15 + after) * MINUTE))) == fires


def test_a_payment_before_the_call_is_none_of_its() -> None:
    assert not _worked(_payment(1, 0), _call(2, 5 * MINUTE, 20))


def test_the_record_of_the_end_takes_the_place_of_the_record_of_the_start() -> None:
    pairing = Pairing(BOTH)
    pairing.work([_begins(1, 0), _ends(2, 12 * MINUTE, 12)], None, ())
    assert len(pairing) == 1
    assert not pairing.work([_payment(3, 50 * MINUTE)], None, ())[0]


def test_a_call_nobody_answered_ends_what_had_begun() -> None:
    pairing = Pairing(BOTH)
    pairing.work([_begins(1, 0), _ends(2, MINUTE // 2, 0)], None, ())
    assert len(pairing) == 0


def test_a_firing_names_the_events_feeds_and_bases_of_both_halves() -> None:
    names = Names(1, pl.Series(["c", "p"]), pl.Series(["operator", "bank"]), pl.Series(["b1", "b2"]))
    (one,), _ = Pairing(BOTH).work([_begins(1, 0), _payment(2, 9 * MINUTE)], names, ())
    assert one.fire is not None
    assert (one.fire.event_id, one.fire.source, one.fire.basis) == ("p", "bank", "b2")
    assert [tuple(e for e in (h.event_id, h.source, h.basis)) for h in one.fire.earlier] == [
        ("c", "operator", "b1")
    ]
    sources = {f.name.partition(".")[0]: f.sources for f in one.fire.whole().facts}
    assert sources == {"payment": ("bank",), "telecoms": ("operator",), "between": ("bank", "operator")}
    assert [s.kind for s in one.fire.related] == ["account", "number", "number"]
    assert one.fire.subject.category == "possible_victim"


def test_one_payment_noted_under_two_numbers_is_one_firing() -> None:
    calls = [_begins(1, 0, number=(7, 4)), _begins(2, MINUTE, number=(7, 8), other=3)]
    paid = [_payment(3, 20 * MINUTE, number=number) for number in ((7, 4), (7, 8))]
    (one,) = _worked(*calls, *paid)
    assert one.fire is not None
    assert {h.ts for h in one.fire.earlier} == {0, MINUTE}


def test_three_payments_and_one_call_are_three_firings_and_one_more_when_it_ends() -> None:
    paid = [_payment(2 + k, (10 + k) * MINUTE) for k in range(3)]
    fired = _worked(_begins(1, 0), *paid, _ends(9, 30 * MINUTE, 30))
    assert [one.seq for one in fired] == [2, 3, 4, 9]
    assert fired[-1].fire is not None
    assert len(fired[-1].fire.earlier) == 3


def test_a_control_row_holds_from_its_place_on() -> None:
    strict = Rule(3, 0, "threshold", CallDuringPayment.id, json.dumps({"threshold": 0.9999}))
    fired = _worked(_begins(1, 0), _payment(2, 9 * MINUTE), _payment(4, 10 * MINUTE), rules=(strict,))
    assert [one.seq for one in fired] == [2]


def test_what_waits_is_bounded_in_number_and_in_time() -> None:
    pairing = Pairing(BOTH)
    pairing.work([_payment(k, k * 1_000) for k in range(MOST_WAITING + 5)], None, ())
    assert len(pairing) == MOST_WAITING
    assert pairing.crowded_out == 5
    pairing.work([_payment(1_000, 4 * HOUR, number=(7, 12))], None, ())
    assert len(pairing) == 1


# ------------------------------------------------------------------------------------------- many, cut in any way

DONE = st.tuples(
    st.integers(0, 300),  # minutes
    st.sampled_from(["payment", "call", "begins", "ends", "tie", "tied"]),
    st.integers(1, 4),  # number
    st.integers(1, 3),  # the other
    st.integers(1, 60),  # minutes it lasted
)


def _made(seq: int, done: tuple[int, str, int, int, int]) -> Note:
    minute, kind, number, other, lasted = done
    ts, own = minute * MINUTE, {"number": (7, number), "other": other}
    if kind == "payment":
        return _payment(seq, ts, own=number, **own)
    if kind == "begins":
        return _begins(seq, ts, **own)
    if kind in ("call", "ends"):
        return (_call if kind == "call" else _ends)(seq, ts, lasted, **own)
    side = PAYMENT if kind == "tie" else TELECOMS
    return _note(seq, side, ts, detector=LineAndMoney, own=number, values={"other.senders_7d": 4.0}, **own)


def _through(scored: Scored) -> tuple[list[Any], list[Crossed]]:
    return _told(scored.evidence), list(scored.ties)


def _told(evidence: Iterable[Evidence]) -> list[Any]:
    return [(e.seq, e.subject.name, e.score, e.fire and e.fire.whole()) for e in evidence]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    done=st.lists(DONE, max_size=40),
    cuts=st.lists(st.integers(1, 6), min_size=40, max_size=40),
    seed=st.integers(0, 99),
)
def test_ticks_senders_and_falls_change_nothing(
    done: list[tuple[int, str, int, int, int]], cuts: list[int], seed: int
) -> None:
    notes = [_made(seq, each) for seq, each in enumerate(sorted(done))]
    whole, whole_ties = SubjectHop(BOTH), TieHop(BOTH)
    expected = _through(whole.work(0, [Scored(0, (), tuple(notes))]))
    expected_tied = _told(whole_ties.work(expected[1], ()))
    rng, hop, ties, tick = random.Random(seed), SubjectHop(BOTH), TieHop(BOTH), 0
    states, tie_states = [_kept(hop.dump())], [_kept(ties.dump())]
    found: tuple[list[Any], list[Crossed]] = ([], [])
    tied: list[Any] = []
    while notes:
        mine, notes = notes[: cuts[tick % len(cuts)]], notes[cuts[tick % len(cuts)] :]
        rng.shuffle(mine)
        half = len(mine) // 2
        parts = [Scored(tick, (), tuple(mine[:half])), Scored(tick, (), tuple(mine[half:]))]
        fired, crossed = _through(hop.work(tick, parts))
        found[0].extend(fired)
        found[1].extend(crossed)
        rng.shuffle(crossed)
        tied += _told(ties.work(crossed, ()))
        tick += 1
        again = rng.random() < 0.2
        states = [_kept(hop.dump())] if again else [*states, _kept(hop.changes())]
        tie_states = [_kept(ties.dump())] if again else [*tie_states, _kept(ties.changes())]
        if rng.random() < 0.4:  # killed, and taken up again
            hop, ties = SubjectHop(BOTH), TieHop(BOTH)
            for state in states:
                hop.load(state)
            for state in tie_states:
                ties.load(state)
    assert repr(found[0]) == repr(expected[0])
    assert repr(found[1]) == repr(expected[1])
    assert repr(tied) == repr(expected_tied)
    assert hop.digest() == whole.digest()
    assert repr(ties.told()) == repr(whole_ties.told())


def _kept(state: dict[str, Any]) -> dict[str, Any]:
    """As a snapshot gives it back."""
    plain: dict[str, Any] = unpack(pack(state))
    return plain


# ------------------------------------------------------------------------------------------------------------ ties


LINE_LIKE = {
    "other.senders_7d": 4.0, "other.street_share_7d": 1.0, "other.bursts_7d": 6.0, "other.answer_share_7d": 0.2,
    "other.call_length_7d": 30.0, "other.overlap_7d": 0.9, "other.prepaid": 1.0,
}  # fmt: skip


def _halves(person: int, seq: int, called: int, paid: int) -> list[Note]:
    more = {"detector": LineAndMoney, "number": (7, person), "values": LINE_LIKE}
    return [
        _note(seq, TELECOMS, called, other=99, **more),
        _note(seq + 1, PAYMENT, paid, own=person + 1, other=88, **more),
    ]


def _pairs(people: int) -> list[Crossed]:
    notes = [n for k in range(people) for n in _halves(k, 2 * k, k * MINUTE, (k + 5) * MINUTE)]
    return Pairing(BOTH).work(notes, None, ())[1]


def test_two_people_are_chance_and_more_are_a_tie() -> None:
    assert not TieHop(BOTH).work(_pairs(2), ())
    fired = TieHop(BOTH).work(_pairs(6), ())
    assert fired
    fire = fired[-1].fire
    assert fire is not None
    assert fire.whole().features["between.customers"] == 6.0
    assert fire.subject.token.endswith("58")  # 88: the account they pay
    assert [s.kind for s in fire.related] == ["number"]  # those who buy are nobody's suspects


def test_two_parties_are_judged_for_somebody_new_and_else_once_an_hour() -> None:
    for restarted in (False, True):  # what is remembered over a restart says the same
        hop = TieHop(BOTH)
        hop.work(_pairs(6), ())
        said = []
        for k, (person, minute) in enumerate(
            ((1, 20), (2, 50), (7, 55), (7, 58), (1, 62), (2, 63), (1, 121))
        ):
            halves = _halves(person, 100 + 2 * k, minute * MINUTE, minute * MINUTE)
            said.append(bool(hop.work(Pairing(BOTH).work(halves, None, ())[1], ())))
            hop = _restarted(hop) if restarted else hop
        assert said == [False, False, True, False, True, False, True]
        assert len(hop) == 7


def _restarted(hop: TieHop) -> TieHop:
    other = TieHop(BOTH)
    other.load(unpack(pack(hop.dump())))
    return other


def test_the_same_person_again_is_not_one_more() -> None:
    ties = TieHop(BOTH)
    ties.work(_pairs(2), ())
    assert len(ties) == 2
    ties.work(_pairs(2), ())
    assert len(ties) == 2


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 5)), min_size=1, max_size=90)
)
def test_a_tie_is_named_by_the_latest_events_of_all_who_make_it(drawn: list[tuple[int, int, int]]) -> None:
    ties = []
    for place, (one, other, shared) in enumerate(drawn):
        own = f"e{place}" if shared else "of several"  # now and then the same event ties several
        events = (Happening(own, "bank", "", one if shared else 7), Happening(f"c{place}", "net", "", other))
        ties.append(Tie(max(event.ts for event in events), events))
    every = sorted({event for tie in ties for event in tie.events}, key=lambda e: (e.ts, e.event_id))
    assert latest_events(ties) == tuple(every[-40:])
