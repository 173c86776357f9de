"""Role rows and their sending: each event as every entity in it sees it, held to a slow, obvious reading of the rules."""

import json
import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.discovery import all_detectors
from events.bases import Bases
from events.codes import COP_RESULTS, DIRECTIONS, INGRESSES, NUMBER_CLASSES, TOKEN_KINDS, WATCH_WHATS, code_of
from events.door import Door, Source
from events.ledger import Tick
from events.legs import ADDS_OF
from events.readers import Input
from events.sequencer import Sequencer
from events.tokens import Key, KeyRing
from features.declared import CATALOGUE
from features.plan import Reach
from features.rows import SUBJECTS, Entity, Flag, Role, joined
from features.twin import history
from flows.dataflow import plan_of
from flows.errors import FlowError
from flows.first_pass import FirstPass
from flows.roles import role_rows
from flows.running import RunOptions, Summary, replay
from flows.split import Splitter

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OLD, NEW = Key("k0", bytes(range(32))), Key("k1", bytes(range(32, 64)))
COP_BAD = {code_of(COP_RESULTS, "close_match"), code_of(COP_RESULTS, "no_match")}
FORCES = {"E23000001": 1, "E23000002": 2}
EVERYTHING = frozenset(Entity)
ACCOUNTS = [f"00-00-01 {n:08d}" for n in range(4)]
NUMBERS = [f"+44770090000{n}" for n in range(4)]
ABROAD = ["+12025550100", "+12025550101", "+449098790001"]  # two foreign numbers and one of premium rate

Row = tuple[Any, ...]


def _some(**choices: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(values) for name, values in choices.items()}
    )


PAYMENT = st.tuples(
    st.sampled_from(["own", "both"]),
    _some(
        payer_account=ACCOUNTS, payee_account=ACCOUNTS, card=["c1", "c2"], terminal=["t1"], merchant=["m1", "m2"],
        device_id=["d1", "d2"], payer_phone=NUMBERS, new_payee=[True, False], cop=["match", "no_match"],
        payee_opened=["2026-01-01"],
    ),
    st.sampled_from(["p1", "p2", "p3"]),
).map(lambda x: ("payments", x[0], {"rail": "fps", "amount_minor": 500, "payment_id": x[2]} | x[1]))  # fmt: skip
TELECOMS = st.tuples(
    st.sampled_from(["own", "both"]),
    st.sampled_from(NUMBERS),
    st.sampled_from(["call", "sms"]),
    _some(
        other_number=[*NUMBERS, *ABROAD, "NORTHBANK"], direction=["mo", "mt"], ingress=["international", "national"],
        network_number=[NUMBERS[0], ABROAD[1]], imsi=["001010000000001"], imei=["001000001234567"],
        cell=["234-10-1-1"],
    ),
).map(lambda x: ("telecoms", x[0], {"number": x[1], "kind": x[2]} | x[3]))  # fmt: skip
LINK = st.tuples(
    st.sampled_from([f"account:{a}" for a in ACCOUNTS] + [f"number:{n}" for n in NUMBERS] + ["party:x"]),
    st.sampled_from([f"number:{n}" for n in NUMBERS] + [f"account:{ACCOUNTS[0]}"]),
).map(lambda x: ("links", "own", {"a": x[0], "b": x[1], "kind": "registered"}))
WATCH = st.sampled_from(
    [("account", ACCOUNTS[1]), ("number", NUMBERS[1]), ("imei", "001000001234567")]
).map(lambda x: ("watch", "own", {"what": x[0], "value": x[1], "why": "stolen_handset"}))  # fmt: skip
ACCOUNT = _some(device_id=["d1"], number=NUMBERS).map(
    lambda x: ("accounts", "own", {"account": ACCOUNTS[2], "kind": "login"} | x)
)
RECORDS = st.lists(st.one_of(PAYMENT, TELECOMS, LINK, WATCH, ACCOUNT), min_size=1, max_size=40)


def _ticks(
    records: list[tuple[str, str, dict[str, Any]]], folder: Path, keys: KeyRing, tick_rows: int = 7
) -> list[Tick]:
    """The records through the real door and the one order; `own` and `both` are two suppliers."""
    lines: dict[str, list[str]] = {}
    for n, (stream, legs, record) in enumerate(records):
        whole = {
            "event_id": f"e{n}",
            "ts": (START + timedelta(seconds=n)).isoformat(),
            "source": legs,
        } | record
        lines.setdefault(stream, []).append(json.dumps(whole) + "\n")
    inputs = []
    for stream, text in lines.items():
        path = folder / f"{stream}.ndjson"
        path.write_text("".join(text))
        inputs.append(Input(stream, str(path), "own"))
    sources = [Source("own", "own", None), Source("both", "both", None)]
    door = Door(keys, Bases.demo(), sources, default_basis="synthetic-demo", forces=FORCES)
    sequencer = Sequencer(inputs, door, tick_rows=tick_rows)
    ticks: list[Tick] = []
    while not sequencer.finished:
        tick = sequencer.next_tick()
        ticks += [] if tick is None else [tick]
    sequencer.close()
    return ticks


# ------------------------------------------------------------------------------------------------- the slow reading


class _Slow:
    """One record at a time, by the rules as they are written down."""

    def __init__(self, tick: Tick) -> None:
        self.rows: list[Row] = []
        for stream, frame in tick.rows.items():
            self.columns = set(frame.columns)
            for row in frame.iter_rows(named=True):
                self.row = row
                getattr(self, stream, lambda: None)()

    def token(self, name: str) -> tuple[int, int]:
        return self.row.get(f"{name}_hi", 0), self.row.get(f"{name}_lo", 0)

    def has(self, name: str) -> bool:
        return self.token(name) != (0, 0)

    def add(
        self,
        entity: Entity,
        role: Role,
        side: int,
        own: str,
        other: str | None,
        sends: bool,
        shadow: bool = False,
    ) -> None:
        if self.has(own):
            told = self.token(other) if other else (0, 0)
            self.rows.append(
                (self.row["seq"], entity, role, side, shadow, self.token(own), told, bool(sends))
            )

    def under_both(
        self, entity: Entity, role: Role, side: int, own: str, other: str | None, sends: bool
    ) -> None:
        """Under the current key, and under the key before while it is kept."""
        self.add(entity, role, side, own, other, sends)
        known = other is not None and f"{other}_prev_lo" in self.columns
        sends = sends and self.has(f"{other}_prev")
        self.add(entity, role, side, f"{own}_prev", f"{other}_prev" if known else other, sends, shadow=True)

    def told(self, who: str) -> Role | None:
        """The part in which a party gets a row of its own: of the payment, or of what this record adds to it."""
        payer = who == "payer"
        if not self.has(f"{who}_account"):
            return None
        if self.row.get(f"take_{who}", 0):
            return Role.PAYER if payer else Role.PAYEE
        adds = self.row.get("adds", 0)
        new = adds & 1 and self.row.get("new_payee", 0) == 2
        misnamed = adds & 2 and self.row.get("cop", 0) in COP_BAD
        if new or misnamed or adds & ADDS_OF[who]:
            return Role.PAYER_MORE if payer else Role.PAYEE_MORE
        return None

    def payments(self) -> None:
        for side, (who, whom) in enumerate((("payer", "payee"), ("payee", "payer"))):
            own, other = f"{who}_account", f"{whom}_account"
            part, other_told = self.told(who), self.told(whom) is not None
            if part is not None:
                self.under_both(Entity.ACCOUNT, part, side, own, other, other_told)
            elif other_told:
                self.add(Entity.ACCOUNT, Role.PEEK, side, own, other, True)
                if self.has(f"{other}_prev"):
                    self.add(
                        Entity.ACCOUNT, Role.PEEK, side, f"{own}_prev", f"{other}_prev", True, shadow=True
                    )
        payer_told = self.told("payer") is not None
        for entity, role, name in (
            (Entity.CARD, Role.CARD, "card"),
            (Entity.TERMINAL, Role.TERMINAL, "terminal"),
            (Entity.MERCHANT, Role.MERCHANT, "merchant"),
            (Entity.DEVICE, Role.DEVICE, "device"),
        ):
            self.add(entity, role, 0, name, "payer_account", payer_told)

    def telecoms(self) -> None:
        direction = self.row.get("direction", 0)
        outgoing = direction == code_of(DIRECTIONS, "mo")
        told_of = direction != 0 and self.has("other") and self.has("number")
        country, kind = self.row.get("other_country", 0), self.row.get("other_class", 0)
        foreign = country not in (0, 44, 999)
        abroad = self.row.get("ingress", 0) == code_of(INGRESSES, "international")
        premium = kind == code_of(NUMBER_CLASSES, "premium")
        alone = told_of and ((foreign or premium) if outgoing else (foreign or abroad))
        informs = self.row.get("informs_other", 0) == 1 and told_of and not alone
        role = Role.SELF if direction == 0 else (Role.OUT if outgoing else Role.IN)
        self.under_both(Entity.NUMBER, role, 0, "number", "other", informs or alone)
        if alone:
            self.under_both(
                Entity.NUMBER, Role.REACHED if outgoing else Role.HEARD, 1, "other", "number", True
            )
        elif informs:
            flipped = Role.IN if outgoing else Role.OUT
            self.under_both(Entity.NUMBER, flipped, 1, "other", "number", True)
        elif direction != 0:
            self.add(Entity.NUMBER, Role.PEEK, 1, "other", "number", True)
            self.add(Entity.NUMBER, Role.PEEK, 1, "other_prev", "number_prev", True, shadow=True)
        for entity, thing, name in (
            (Entity.SIM, Role.SIM, "imsi"),
            (Entity.HANDSET, Role.HANDSET, "imei"),
            (Entity.CELL, Role.CELL, "cell"),
        ):
            self.add(entity, thing, 0, name, "number", True)

    def links(self) -> None:
        for side, (one, other) in enumerate((("a", "b"), ("b", "a"))):
            kind = self.row[f"{one}_kind"]
            for word, entity in (("account", Entity.ACCOUNT), ("number", Entity.NUMBER)):
                if kind == code_of(TOKEN_KINDS, word):
                    self.add(entity, Role.LINKED, side, one, other, False)

    def watch(self) -> None:
        for word, entity in (
            ("account", Entity.ACCOUNT),
            ("number", Entity.NUMBER),
            ("imei", Entity.HANDSET),
        ):
            if self.row["what"] == code_of(WATCH_WHATS, word):
                self.add(entity, Role.WATCHED, 0, "value", None, False)

    def accounts(self) -> None:
        self.add(Entity.ACCOUNT, Role.HOLDER, 0, "account", None, False)
        self.add(Entity.ACCOUNT, Role.HOLDER, 0, "account_prev", None, False, shadow=True)
        self.add(Entity.DEVICE, Role.DEVICE, 0, "device", "account", True)


def _fast(tick: Tick) -> list[Row]:
    found = []
    for entity, rows in role_rows(tick, EVERYTHING).items():
        for r in rows:
            own, other = (int(r["own_hi"]), int(r["own_lo"])), (int(r["other_hi"]), int(r["other_lo"]))
            found.append(
                (
                    int(r["seq"]),
                    entity,
                    Role(r["role"]),
                    int(r["side"]),
                    bool(r["shadow"]),
                    own,
                    other,
                    r["sends"] == 1,
                )
            )
    return found


@pytest.mark.parametrize("rotating", [False, True])
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(records=RECORDS)
def test_rows_are_what_a_slow_reading_of_the_rules_gives(
    records: list[tuple[str, str, dict[str, Any]]], rotating: bool, tmp_path: Path
) -> None:
    for old in tmp_path.glob("*"):
        old.unlink()
    for tick in _ticks(records, tmp_path, KeyRing(NEW, OLD if rotating else None)):
        assert Counter(_fast(tick)) == Counter(_Slow(tick).rows)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(records=RECORDS, shards=st.sampled_from([1, 2, 4, 16, 64]), rotating=st.booleans())
def test_every_shard_is_told_how_many_rows_will_come(
    records: list[tuple[str, str, dict[str, Any]]], shards: int, rotating: bool, tmp_path: Path
) -> None:
    for old in tmp_path.glob("*"):
        old.unlink()
    plan = plan_of(all_detectors())
    splitter = Splitter(shards, plan.reach)
    first: dict[int, FirstPass] = {}
    had: dict[int, int] = {}
    for tick in _ticks(records, tmp_path, KeyRing(NEW, OLD if rotating else None)):
        split = splitter.split(tick, 0.0)
        sent: Counter[int] = Counter()
        for shard, share in split.shares.items():
            work = first.setdefault(shard, FirstPass(plan, shard, shards))
            sent.update({to: halves.count for to, halves in work.take(share).items()})
        assert +sent == {shard: expected.count for shard, expected in split.second.items() if expected.count}
        for shard, expected in split.second.items():
            assert expected.before == had.get(shard, -1)
            had[shard] = tick.number
        assert all(expected.count == len(split.second) for expected in split.subject.values())


def test_shares_are_in_the_one_order(tmp_path: Path) -> None:
    records = [("payments", "both", {"rail": "fps", "amount_minor": 5, "payer_account": ACCOUNTS[n % 4],
                "payee_account": ACCOUNTS[(n + 1) % 4]}) for n in range(40)]  # fmt: skip
    splitter = Splitter(4, Reach(EVERYTHING, frozenset(SUBJECTS), EVERYTHING))
    for tick in _ticks(records, tmp_path, KeyRing(NEW, OLD), tick_rows=16):
        for shard, share in splitter.split(tick, 0.0).shares.items():
            for rows in share.rows.values():
                order = [(int(r["seq"]), int(r["side"]), int(r["shadow"])) for r in rows]
                assert order == sorted(order)
                assert {int(r["own_lo"]) % 4 for r in rows} == {shard}


def test_what_is_not_said_is_absent_and_not_zero(tmp_path: Path) -> None:
    record = ("payments", "both", {"rail": "fps", "amount_minor": 5, "payer_account": ACCOUNTS[0]})
    (tick,) = _ticks([record], tmp_path, KeyRing(NEW))
    (row,) = role_rows(tick, EVERYTHING)[Entity.ACCOUNT]
    assert row["value"] == 5.0
    assert all(math.isnan(row[name]) for name in ("balance", "born", "lat", "lon"))


_PAYERS_BANK = {
    "rail": "fps", "payment_id": "p1", "payer_account": ACCOUNTS[0], "payee_account": ACCOUNTS[1], "amount_minor": 500,
    "new_payee": True, "cop": "no_match", "cop_overridden": True, "device_id": "d1", "payer_age_band": "65-79",
    "channel": "mobile_app",
}  # fmt: skip
_PAYEES_BANK = {
    "rail": "fps", "payment_id": "p1", "payer_account": ACCOUNTS[0], "payee_account": ACCOUNTS[1], "amount_minor": 500,
    "payee_opened": "2026-02-20", "payee_age_band": "18-20",
}  # fmt: skip
_KNOWN = (
    "received_count_7d", "received_7d", "first_payments_7d", "from_new_7d", "misnamed_7d", "senders_7d", "holder_age",
    "account_age", "sent_24h", "new_payees_24h", "to_new_payees_24h", "misnamed_24h", "overrode_24h", "payee_age",
)  # fmt: skip


def _told(
    records: list[dict[str, Any]], folder: Path
) -> tuple[list[list[Role]], dict[int, dict[str, float]]]:
    """The parts that accounts play in each record, and what is known of payer and payee in the end."""
    for old in folder.glob("*"):
        old.unlink()
    ticks = _ticks([("payments", "own", record) for record in records], folder, KeyRing(NEW), tick_rows=1)
    made = [role_rows(tick, EVERYTHING) for tick in ticks]
    rows = joined([each[Entity.ACCOUNT] for each in made if Entity.ACCOUNT in each])
    rows = rows[np.argsort(rows["seq"] * 2 + rows["side"], kind="stable")]
    parts = [[Role(r["role"]) for r in rows[rows["seq"] == seq]] for seq in sorted(set(rows["seq"].tolist()))]
    known = history(CATALOGUE, Entity.ACCOUNT, rows)
    real = np.flatnonzero(rows["role"] != Role.PEEK)
    last = {side: real[rows["side"][real] == side][-1] for side in (0, 1)}
    return parts, {side: {name: known[name][int(at)] for name in _KNOWN} for side, at in last.items()}


def test_what_only_one_of_two_banks_says_is_known_in_either_order_and_nothing_counts_twice(
    tmp_path: Path,
) -> None:
    first, payers_first = _told([_PAYERS_BANK, _PAYEES_BANK], tmp_path)
    second, payees_first = _told([_PAYEES_BANK, _PAYERS_BANK], tmp_path)
    assert first == [[Role.PAYER, Role.PAYEE], [Role.PEEK, Role.PAYEE_MORE]]
    assert second == [[Role.PAYER, Role.PAYEE], [Role.PAYER_MORE, Role.PAYEE_MORE]]
    payee = payees_first[1]
    assert payee["received_count_7d"] == payee["first_payments_7d"] == payee["misnamed_7d"] == 1
    assert payee["received_7d"] == payee["from_new_7d"] == 500
    assert payee["holder_age"] == payers_first[1]["holder_age"] > 0
    assert payee["account_age"] == pytest.approx(payers_first[1]["account_age"])
    payer = payees_first[0]
    assert payer["new_payees_24h"] == payer["misnamed_24h"] == payer["overrode_24h"] == 1
    assert payer["sent_24h"] == payer["to_new_payees_24h"] == 500
    assert payer["payee_age"] == pytest.approx(0.0, abs=1e-4)
    counted = [name for name in _KNOWN if name not in ("account_age", "payee_age")]
    for side in (0, 1):
        assert {n: str(payers_first[side][n]) for n in counted} == {
            n: str(payees_first[side][n]) for n in counted
        }


def test_a_third_record_and_one_that_says_the_same_add_nothing(tmp_path: Path) -> None:
    again = _PAYERS_BANK | {"status": "accepted", "new_payee": False}
    parts, known = _told(
        [_PAYERS_BANK | {"status": "initiated"}, _PAYEES_BANK, again, _PAYEES_BANK], tmp_path
    )
    assert len(parts) == 2
    assert known[1]["first_payments_7d"] == 1


def _row_of(tmp_path: Path, record: tuple[str, str, dict[str, Any]], entity: Entity, side: int = 0) -> Any:
    for old in tmp_path.glob("*"):
        old.unlink()
    (tick,) = _ticks([record], tmp_path, KeyRing(NEW))
    (row,) = (r for r in role_rows(tick, EVERYTHING)[entity] if r["side"] == side)
    return row


def _has(row: Any, *flags: Flag) -> set[Flag]:
    """Which of some flags a row has."""
    return {flag for flag in flags if int(row["flags"]) & flag}


_CALL = {"number": NUMBERS[0], "kind": "call", "duration_s": 30, "answered": True}


@pytest.mark.parametrize(
    ("record", "flags"),
    [
        ({"direction": "mt", "other_number": ABROAD[0]}, {Flag.OTHER_FOREIGN}),
        ({"direction": "mo", "other_number": ABROAD[0]}, {Flag.OTHER_FOREIGN, Flag.OUTGOING}),
        (
            {"direction": "mo", "other_number": ABROAD[2]},
            {Flag.OTHER_PREMIUM, Flag.OTHER_SERVICE, Flag.OUTGOING},
        ),
        (
            {"direction": "mt", "other_number": NUMBERS[1], "ingress": "international"},
            {Flag.OTHER_MOBILE, Flag.ABROAD_IN},
        ),
        (
            {"direction": "mt", "other_number": NUMBERS[1], "network_number": NUMBERS[2]},
            {Flag.OTHER_MOBILE, Flag.SPOOFED},
        ),
        ({"direction": "mt", "other_number": NUMBERS[1], "network_number": NUMBERS[1]}, {Flag.OTHER_MOBILE}),
        (
            {"direction": "mo", "other_number": NUMBERS[1], "network_number": NUMBERS[2]},
            {Flag.OTHER_MOBILE, Flag.SPOOFED, Flag.OUTGOING},
        ),
        ({"direction": "mt", "other_number": "NORTHBANK"}, {Flag.OTHER_SERVICE, Flag.FROM_SENDER}),
        ({"duration_s": 3}, {Flag.UNREACHED}),
        ({"duration_s": 4}, set()),
        ({"answered": False}, {Flag.UNREACHED}),
        ({"answered": False, "phase": "start"}, set()),
        ({"visited_plmn": "234-10", "imsi": "001010000000001"}, {Flag.ROAMING}),
        ({"visited_plmn": "235-10"}, set()),
        ({"visited_plmn": "208-01"}, {Flag.ROAMING}),
        ({"kind": "topup", "channel": "voucher", "amount_minor": 500}, {Flag.PAID_CASH}),
        ({"age_band": "16-17"}, {Flag.MINOR, Flag.YOUNG}),
        ({"age_band": "65-79"}, {Flag.OLDER}),
    ],
)
def test_what_a_telecoms_record_says_beside_its_numbers(
    record: dict[str, Any], flags: set[Flag], tmp_path: Path
) -> None:
    said = _has(
        _row_of(tmp_path, ("telecoms", "own", _CALL | record), Entity.NUMBER),
        Flag.OTHER_FOREIGN, Flag.OTHER_PREMIUM, Flag.OTHER_SERVICE, Flag.OTHER_MOBILE, Flag.OTHER_FIXED,
        Flag.OUTGOING, Flag.ABROAD_IN, Flag.SPOOFED, Flag.FROM_SENDER, Flag.UNREACHED, Flag.ROAMING, Flag.PAID_CASH,
        Flag.MINOR, Flag.YOUNG, Flag.OLDER, Flag.FOREIGN, Flag.PREMIUM,
    )  # fmt: skip
    assert said == flags


_PAID = {"rail": "card", "amount_minor": 500, "payer_account": ACCOUNTS[0]}


@pytest.mark.parametrize(
    ("record", "flags"),
    [
        ({"entry_mode": "ecommerce"}, {Flag.CNP}),
        ({"entry_mode": "moto", "channel": "telephone"}, {Flag.CNP, Flag.REMOTE, Flag.BY_TELEPHONE}),
        ({"entry_mode": "contactless"}, {Flag.CONTACTLESS}),
        ({"mcc": "6011"}, {Flag.CASH_LIKE}),
        ({"mcc": "3777"}, {Flag.TRAVEL}),
        ({"mcc": "5411"}, set()),
        ({"auth": "password"}, {Flag.WEAK_AUTH}),
        ({"beneficiary_number": NUMBERS[1]}, {Flag.TOPUP_FOR_OTHER}),
        ({"payer_force": "E23000001", "force": "E23000002"}, {Flag.AWAY}),
        ({"payer_force": "E23000001", "force": "E23000001"}, set()),
        ({"payer_force": "E23000001"}, set()),
    ],
)
def test_what_a_payment_says_beside_its_sum(record: dict[str, Any], flags: set[Flag], tmp_path: Path) -> None:
    row = _row_of(tmp_path, ("payments", "own", _PAID | record), Entity.ACCOUNT)
    assert _has(
        row, Flag.CNP, Flag.REMOTE, Flag.BY_TELEPHONE, Flag.CONTACTLESS, Flag.CASH_LIKE, Flag.TRAVEL, Flag.WEAK_AUTH,
        Flag.TOPUP_FOR_OTHER, Flag.AWAY,
    ) == flags  # fmt: skip
    assert (int(row["third_lo"]) != 0) == ("beneficiary_number" in record)


@pytest.mark.parametrize(
    ("why", "flag"),
    [
        ("missing_child", Flag.WATCHED_CHILD),
        ("deal_line", Flag.WATCHED_LINE),
        ("restricted", Flag.WATCHED_LINE),
        ("stolen_handset", Flag.WATCHED_HANDSET),
        ("mule_marker", Flag.WATCHED_MULE),
    ],
)
def test_a_watch_row_says_why_and_until_when(why: str, flag: Flag, tmp_path: Path) -> None:
    record = {"what": "number", "value": NUMBERS[1], "why": why}
    row = _row_of(tmp_path, ("watch", "own", record), Entity.NUMBER)
    assert row["value"] == math.inf
    every = (Flag.WATCHED_CHILD, Flag.WATCHED_LINE, Flag.WATCHED_HANDSET, Flag.WATCHED_MULE)
    assert _has(row, *every) == {flag}
    ends = START + timedelta(days=3)
    row = _row_of(tmp_path, ("watch", "own", record | {"to": ends.isoformat()}), Entity.NUMBER)
    assert row["value"] == ends.timestamp() * 1e6


@pytest.mark.parametrize("legs", ["own", "both"])
def test_a_call_from_abroad_showing_a_number_of_here_is_heard_and_not_that_numbers_own(
    legs: str, tmp_path: Path
) -> None:
    record = _CALL | {
        "direction": "mt", "other_number": NUMBERS[1], "ingress": "international", "network_number": ABROAD[0],
        "cell": "234-10-1-1", "force": "E23000001", "lat": 51.5, "lon": -0.1,
    }  # fmt: skip
    called = _row_of(tmp_path, ("telecoms", legs, record), Entity.NUMBER)
    shown = _row_of(tmp_path, ("telecoms", legs, record), Entity.NUMBER, side=1)
    assert Role(shown["role"]) == Role.HEARD
    assert Role(called["role"]) == Role.IN
    assert (shown["own_lo"], shown["other_lo"]) == (called["other_lo"], called["own_lo"])
    assert called["sends"] == shown["sends"] == 1
    assert _has(shown, Flag.SPOOFED, Flag.ABROAD_IN, Flag.FOREIGN, Flag.OUTGOING, Flag.OTHER_MOBILE) == {
        Flag.SPOOFED, Flag.ABROAD_IN, Flag.OUTGOING, Flag.OTHER_MOBILE,
    }  # fmt: skip
    assert shown["place_lo"] == called["place_lo"] != 0
    assert shown["third_lo"] == called["third_lo"] != 0
    assert shown["force"] == called["force"] != 0


def test_where_the_other_number_was_is_not_said(tmp_path: Path) -> None:
    record = _CALL | {
        "direction": "mt",
        "other_number": NUMBERS[1],
        "force": "E23000001",
        "lat": 51.5,
        "lon": 0.1,
    }
    row = _row_of(tmp_path, ("telecoms", "both", record), Entity.NUMBER, side=1)
    assert Role(row["role"]) == Role.OUT
    assert row["force"] == 0
    assert math.isnan(row["lat"])
    assert math.isnan(row["lon"])
    assert _has(row, Flag.OUTGOING, Flag.OTHER_MOBILE) == {Flag.OUTGOING, Flag.OTHER_MOBILE}


# ------------------------------------------------------------------------------------------------- end to end


def _replayed(at: Path, inputs: dict[str, tuple[str, ...]], **settings: str) -> tuple[bytes, Summary]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ({"TOKEN_KEY": "5a" * 32, "DATA": str(at)} | settings).items():
            patch.setenv(f"LINEWATCH_{name}", value)
        summary = replay(
            RunOptions(
                inputs=inputs,
                store=f"sqlite:///{at / 'alerts.sqlite'}",
                data=at,
                recovery=at / "recovery",
                alerts_out=at / "alerts.ndjson",
            )
        )
    return (at / "alerts.ndjson").read_bytes(), summary


def test_the_number_of_shards_changes_no_alert(world: Any, tmp_path: Path) -> None:
    one, summary = _replayed(tmp_path / "one", world, SHARDS="1")
    many, _ = _replayed(tmp_path / "many", world, SHARDS="64")
    assert summary.raised >= 2
    assert many == one


def test_a_recovery_folder_keeps_the_number_of_shards_it_began_with(world: Any, tmp_path: Path) -> None:
    few = {"links": world["links"]}
    _replayed(tmp_path, few, SHARDS="2")
    _replayed(tmp_path, few)
    assert (tmp_path / "recovery" / "run" / "shards").read_text() == "2"
    with pytest.raises(FlowError, match="made with 2 shards and the setting now says 8"):
        _replayed(tmp_path, few, SHARDS="8")


def _story() -> tuple[list[str], list[str]]:
    """A few quiet days in which people come to know an account, and the two days in which it is used as a mule."""
    quiet, loud = [], []

    def pay(lines: list[str], hours: float, payer: str, payee: str, pence: int) -> None:
        n = len(quiet) + len(loud)
        at = (START + timedelta(hours=hours)).isoformat()
        record = {"event_id": f"s{n}", "ts": at, "rail": "fps", "amount_minor": pence, "payment_id": f"s{n}"}
        lines.append(json.dumps(record | {"payer_account": payer, "payee_account": payee}) + "\n")

    people, mule = [f"00-00-20 {k:08d}" for k in range(12)], "00-00-11 00000001"
    for n, payer in enumerate(people[:8]):
        pay(quiet, 9.0 * n, payer, mule, 4_000 + n)
    for n in range(40):
        pay(loud, 80 + 0.5 * n, people[n % 12], mule, 60_000 + 100 * n)
        pay(loud, 80.1 + 0.5 * n, mule, f"00-00-40 {n % 4:08d}", 59_000 + 100 * n)
    return quiet, loud


def test_after_the_keys_are_switched_the_history_is_still_there(tmp_path: Path) -> None:
    quiet, loud = _story()
    folder, whole, late = (tmp_path / name / "bank" for name in ("parts", "whole", "late"))
    for each in (folder, whole, late):
        each.mkdir(parents=True)
    (folder / "a.ndjson").write_text("".join(quiet))
    (whole / "a.ndjson").write_text("".join(quiet + loud))
    (late / "a.ndjson").write_text("".join(loud))
    inputs = {"payments": (str(folder),)}
    old, new = {"TOKEN_KEY": "a1" * 32, "TOKEN_KEY_ID": "a"}, {"TOKEN_KEY": "b2" * 32, "TOKEN_KEY_ID": "b"}

    both = old | {"TOKEN_KEY_PREVIOUS": new["TOKEN_KEY"], "TOKEN_KEY_PREVIOUS_ID": "b"}
    before, _ = _replayed(tmp_path / "rotated", inputs, **both)
    (folder / "b.ndjson").write_text("".join(loud))
    rotated, summary = _replayed(tmp_path / "rotated", inputs, **new)
    straight, _ = _replayed(tmp_path / "straight", {"payments": (str(whole),)}, **new)
    forgetful, _ = _replayed(tmp_path / "forgetful", {"payments": (str(late),)}, **new)

    assert before == b"", "the story must begin after the switch"
    assert summary.raised >= 1
    assert rotated == straight
    assert forgetful != straight, "without a history the alerts must differ, or this shows nothing"
