"""A line and its till: people who ring a number that works like a deal line pay an account that collects like one.

Buyers who pay by transfer send small round sums to an account that the line names: that of a young runner, a cuckooed
customer, somebody in debt to the line. The bank sees an account into which many people pay ten or twenty pounds, which
a club's treasurer has too; the operator sees a number that many people ring briefly, which a takeaway has too. Here the
two are tied by their customers: the same people ring or text the one and, within a day, pay the other. Three of them
and more are no chance. The holder of the account is often young and may be made to; they may be a victim.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

import polars as pl

from detectors.base import Story
from detectors.cross import Between, CrossDetector, Pair, Part, Ties
from features.rows import MESSAGES, Flag, Kind, Role
from models.scorecard import Signal

_HOUR_US: Final = 3_600_000_000
_START: Final = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)


def _share(pair: Pair) -> float:
    """How much of all who paid the account this week has also been in contact with the number."""
    payers = pair.values["payment.other.senders_7d"]
    return min(1.0, pair.customers / payers) if payers > 0 else float("nan")


class LineAndMoney(CrossDetector):
    """Scores an account with a number whenever one more person has paid the one and been in contact with the other."""

    id = "line_and_money"
    title = "People who ring a line-like number pay the same account"
    version = 3
    status = "experimental"
    threat = "county_lines"
    typology = "line_and_money"
    four_p = "pursue"
    claim = "line"
    about = "other"
    payment = Part(
        roles=(Role.PAYER,),
        kinds=(Kind.FPS, Kind.WALLET, Kind.INTERNAL),
        having=(Flag.ROUND,),
        gate=(pl.col("other.street_sums_7d") >= 3) & (pl.col("other.street_share_7d") >= 0.4),
        keeps="1h",
    )
    telecoms = Part(
        roles=(Role.OUT, Role.IN),
        kinds=(Kind.CALL, *MESSAGES),
        gate=(pl.col("other.bursts_7d") >= 1) | (pl.col("other.callers_7d") >= 10),
        keeps="24h",
    )
    within = "24h"
    ties = Ties(people=3, within="7d", every="1h")
    between = (
        Between(
            "customers",
            "people who were in contact with the number and paid the account, in a week",
            lambda pair: float(pair.customers),
        ),
        Between(
            "share_of_payers",
            "share of the week's payers who were in contact with the number",
            _share,
            "share",
        ),
        Between(
            "hours",
            "hours between contact and payment",
            lambda pair: abs(pair.payment.ts - pair.telecoms.ts) / _HOUR_US,
            "hours",
        ),
    )
    gate = pl.col("between.customers") >= 3
    signals = (
        Signal("between.customers", 2, 8, 2.2, log=True),
        Signal("between.share_of_payers", 0.1, 0.5, 1.3),
        Signal("between.hours", 12, 1, 0.5),
        Signal("telecoms.other.bursts_7d", 0, 6, 0.8, log=True),
        Signal("telecoms.other.overlap_7d", 0.2, 0.7, 0.5),
        Signal("telecoms.other.answer_share_7d", 0.02, 0.12, 0.6),
        Signal("telecoms.other.call_length_7d", 90, 40, 0.7),
        Signal("telecoms.other.evening_share_7d", 0.2, 0.5, 0.3),
        # customers come back day after day, and ring; members and guests are told once, and text back or order once
        Signal("telecoms.other.contacts_each_7d", 1.5, 4.5, 1.6, log=True),
        Signal("telecoms.other.rung_for_caller_7d", 0.6, 0.1, 1.0),
        Signal("telecoms.other.data_7d", 20_000_000, 1_000_000, 1.0, log=True),
        Signal("telecoms.other.prepaid", 0, 1, 0.4),
        Signal("telecoms.other.sim_age", 120, 30, 0.4),
        Signal("telecoms.other.service_share_7d", 0.15, 0.02, 0.3),
        Signal("payment.other.street_share_7d", 0.5, 0.9, 0.8),
        Signal("payment.other.senders_7d", 4, 15, 0.6, log=True),
        Signal("payment.other.street_range_7d", 1.2, 4, 0.8, log=True),  # a club has one price
        Signal("payment.other.passed_on_share_7d", 0.1, 0.6, 0.5),
        Signal("payment.other.account_age", 730, 60, 0.3),
    )
    intercept = -9.4
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.2
    harm: ClassVar[dict[str, int]] = {"physical": 3, "psychological": 4, "financial": 2, "community": 3}
    facts = (
        "payment.other.street_sums_7d",
        "payment.other.received_7d",
        "telecoms.other.callers_7d",
        "telecoms.other.texted_7d",
    )
    place = "payment.other.home_force"
    active = "telecoms.other.seen_force"
    quiet_hours = 72
    misses = (
        "Cash, which is most of a line's trade; customers who pay from accounts whose number is not known; lines that "
        "change their till every few days; orders over the internet."
    )
    innocent = (
        "A takeaway, hairdresser or market trader who is rung by customers and paid by transfer: no bursts at night, an old account.",
        "A coach or club that texts its members and collects their fees: one price, few calls, rare bursts.",
        "A carer, nurse or cleaner who is rung by the families who pay her.",
    )
    runbook = (
        "Take the people who tie the two: do they pay soon after each contact, and do they differ from day to day?",
        "Look at where the money goes from the account, and at what time, and at the holder's age and home.",
        "Ask whether the holder may be a child or made to lend the account before anything is done to it.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A line and its till over three days; a hairdresser paid by transfer; a line and a till that share nobody."""
        return (
            Story(
                "buyers ring the line and pay its till",
                _trade("+447700900631", "00-00-63 00000001", 100, ties=True),
                alerts_about=("account:00-00-63 00000001",),
            ),
            Story(
                "a line, and a treasurer whom other people pay",
                _trade("+447700900632", "00-00-63 00000002", 300, ties=False),
            ),
            Story("a hairdresser who is rung and paid by transfer", _hairdresser()),
        )


def _said(
    n: int, at: datetime, kind: str, number: str, other: str, direction: str, **more: Any
) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"t{n}", "ts": at.isoformat(), "source": "operator", "kind": kind, "number": number,
        "other_number": other, "direction": direction,
    }  # fmt: skip
    return "telecoms", record | more


def _pays(
    n: int, at: datetime, payer: str, payee: str, pounds: float, phone: str, **more: Any
) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"p{n}", "ts": at.isoformat(), "source": "bank", "rail": "fps", "amount_minor": round(pounds * 100),
        "payer_account": payer, "payee_account": payee, "payer_phone": phone,
    }  # fmt: skip
    return "payments", record | more


def _trade(line: str, till: str, first: int, *, ties: bool) -> list[tuple[str, dict[str, Any]]]:
    """Three days: flares to forty people, of whom nine ring back each time, and eight payments to the account."""
    events, n = [], 0
    burner = {"prepaid": True, "sim_activated": (_START - timedelta(days=11)).date().isoformat()}
    spoken = {"phase": "complete", "answered": True}
    for flare in range(6):
        at = _START + timedelta(hours=24 * (flare // 2) + 5 * (flare % 2))
        for k in range(40):
            n += 1
            other = f"+44770090{first + k:04d}"
            events.append(_said(n, at + timedelta(seconds=4 * k), "sms", line, other, "mo", **burner))
        for k in range(flare, 40, 5):
            n += 1
            other, call = f"+44770090{first + k:04d}", at + timedelta(minutes=6 + 2 * k)
            events.append(_said(n, call, "call", line, other, "mt", duration_s=25, **spoken, **burner))
            events.append(_said(1_000 + n, call, "call", other, line, "mo", duration_s=25, **spoken))
            phone = other if ties else f"+44770090{first + 60 + k:04d}"
            payer = f"00-00-64 {int(phone[-4:]):08d}"
            more = {"payee_opened": (_START - timedelta(days=40)).date().isoformat()}
            events.append(
                _pays(n, call + timedelta(minutes=11), payer, till, (10, 20, 30)[k % 3], phone, **more)
            )
    return sorted(events, key=lambda e: e[1]["ts"])


def _hairdresser() -> list[tuple[str, dict[str, Any]]]:
    salon, account, events, n = "+447700900633", "00-00-63 00000003", [], 0
    more = {"payee_opened": "2014-05-01"}
    for day in range(6):
        at = _START + timedelta(days=day)
        for k in range(16):
            n += 1
            other = f"+44770090{500 + 16 * day + k:04d}"
            events.append(_said(n, at + timedelta(seconds=20 * k), "sms", salon, other, "mo", prepaid=False))
        for k in range(2):
            n += 1
            other = f"+44770090{500 + 16 * day + k:04d}"
            call = at + timedelta(hours=1 + k)
            spoken = {"phase": "complete", "answered": True, "duration_s": 140}
            events.append(_said(n, call, "call", salon, other, "mt", **spoken))
            events.append(_said(1_000 + n, call, "call", other, salon, "mo", **spoken))
            payer = f"00-00-64 {int(other[-4:]):08d}"
            events.append(
                _pays(n, call + timedelta(hours=20 * k + 2), payer, account, (30, 45.5)[k], other, **more)
            )
    return sorted(events, key=lambda e: e[1]["ts"])
