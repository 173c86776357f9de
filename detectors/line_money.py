"""A till: an account into which a drugs line's customers pay, and the account that the tills pay into.

A growing part of what a county line sells is paid by transfer: small round sums, five to a hundred pounds, from the same
twenty or fifty people again and again, up to late in the evening. The account is seldom the line's own. It belongs to
somebody young who was talked, paid or forced into lending it, and before that it did little. The money is drawn in notes,
spent along the way, or paid on, with that of other tills, to one collector.
Whoever holds such an account may well be a victim; the holder's age is a reason to ask, not a reason to blame.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)


class LineMoney(Detector):
    """Scores an account on each payment it makes or receives."""

    id = "line_money"
    title = "Small round sums from many people, drawn in cash or passed to a collector"
    version = 4
    status = "experimental"
    threat = "county_lines"
    typology = "line_money"
    stream = "payments"
    subject = Entity.ACCOUNT
    four_p = "pursue"
    claim = "line"
    gate = (pl.col("street_payers_7d") >= 5) | (pl.col("from_till_7d") >= 3)
    # weights are fitted on made-up worlds, close to an expert's; range and intercept keep treasurers and market traders
    # within the budget
    signals = (
        Signal("street_payers_7d", 4, 16, 0.6, log=True),  # P1: 8 and more payers in a week
        Signal("street_sums_7d", 6, 30, 0.6, log=True),  # P1
        # a club has one price or two, a line two for 15 and three for 25
        Signal("street_range_7d", 1.2, 5, 1.0, log=True),
        Signal("habitual_share_7d", 0.3, 0.8, 1.6),  # customers come back
        Signal("account_age", 700, 60, 1.2, log=True),  # P3: young, or not used before
        Signal("shopping_7d", 12, 2, 1.7, log=True),  # hardly used for everyday life
        Signal("passed_on_share_7d", 0.1, 0.6, 1.7),  # P2
        Signal("tills_7d", 0.9, 3, 2.6, log=True),  # P7: several tills pay one collector
        Signal("payers_force_share", 0.3, 0.8, 0.6),  # one market
        Signal("payees_7d", 4, 1, 0.5),  # the money goes one way
        Signal("cash_out_7d", 2_000, 30_000, 3.2, log=True),  # P5
    )
    intercept = -8.7
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.1
    harm: ClassVar[dict[str, int]] = {"physical": 2, "psychological": 3, "financial": 2, "community": 2}
    facts = ("received_7d", "received_count_7d", "from_till_7d", "largest_received_7d", "street_largest_7d")
    place = "home_force"
    active = "payers_force"
    quiet_hours = 72
    misses = (
        "Lines paid in notes alone, tills of older people in everyday use whose takings stay where they are, and payers "
        "whose banks do not report."
    )
    innocent = (
        "A club's treasurer or a class trip: one price from everybody within days, then one large payment out.",
        "A market trader: round sums by day, none late at night, an old account in everyday use.",
        "Students who split bills: the same few friends, and money goes back as often as it comes.",
        "A seller on a marketplace: strangers who pay once and do not come back.",
    )
    runbook = (
        "Look at the payers: do the same people pay several times a week, late in the evening, and do they know the holder?",
        "Follow the money out: notes near which station, or which account do other such accounts pay as well?",
        "Ask first whether the holder is a child, in debt or under pressure; tell safeguarding before the account is touched.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A till in its first week; a treasurer before a trip and one who draws the rent; a trader on a market."""
        return (
            Story(
                "the same twenty people pay in tens and twenties every evening, and it is drawn in notes",
                _till(),
                alerts_about=("account:00-00-31 00000001",),
            ),
            Story("a treasurer collects one price from everybody and pays the coach", _treasurer()),
            Story("a treasurer of two prices draws what was paid for the hall's rent", _two_prices()),
            Story("a trader is paid by day and buys stock", _trader()),
        )


def _payment(n: int, at: datetime, **more: Any) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"p{n}",
        "payment_id": f"m{n}",
        "ts": at.isoformat(),
        "source": "bank",
        "currency": "GBP",
    }
    return "payments", record | more


def _paid_in(
    n: int, at: datetime, payer: str, payee: str, pounds: int, **more: Any
) -> tuple[str, dict[str, Any]]:
    return _payment(
        n,
        at,
        rail="fps",
        amount_minor=pounds * 100,
        payer_account=payer,
        payee_account=payee,
        payer_force="E23000024",
        **more,
    )


def _till() -> list[tuple[str, dict[str, Any]]]:
    till = "00-00-31 00000001"
    holder = {"payee_age_band": "18-20", "payee_opened": (_START - timedelta(days=40)).date().isoformat()}
    events, n = [], 0
    for day in range(4):
        for k in range(14):
            n += 1
            payer = f"00-00-32 {(5 * day + k) % 20:08d}"
            at = _START + timedelta(days=day, hours=13 + 0.7 * k)
            events.append(_paid_in(n, at, payer, till, (10, 15, 20, 25, 40)[(day + k) % 5], **holder))
        n += 1
        events.append(
            _payment(
                n, _START + timedelta(days=day, hours=23), rail="cash_withdrawal", amount_minor=20_000, payer_account=till,
                payer_age_band="18-20", terminal_id="atm-31",
            )
        )  # fmt: skip
    return events


def _treasurer() -> list[tuple[str, dict[str, Any]]]:
    club, events = "00-00-33 00000001", []
    holder = {"payee_age_band": "35-49", "payee_opened": "2015-05-01"}
    for k in range(30):
        at = _START + timedelta(hours=9 + 1.5 * k)
        events.append(_paid_in(k, at, f"00-00-34 {k:08d}", club, 25, **holder))
    events.append(
        _payment(
            30, _START + timedelta(days=5), rail="fps", amount_minor=72_000, payer_account=club,
            payee_account="00-00-35 00000001",
        )
    )  # fmt: skip
    return events


def _two_prices() -> list[tuple[str, dict[str, Any]]]:
    club, events, n = "00-00-33 00000002", [], 0
    holder = {"payee_age_band": "50-64", "payee_opened": "2007-07-01"}
    for day in range(4):
        for k in range(12):  # children at 20, families at 30; most come to every training
            n += 1
            at = _START + timedelta(days=day, hours=10 + 0.5 * k)
            payer = f"00-00-34 {100 + (k if k < 8 else 4 * day + k):08d}"
            events.append(_paid_in(n, at, payer, club, (20, 30)[k % 2], **holder))
        n += 1
        drawn = _START + timedelta(days=day, hours=16)
        events.append(
            _payment(
                n,
                drawn,
                rail="cash_withdrawal",
                amount_minor=22_000,
                payer_account=club,
                terminal_id="atm-33",
            )
        )
    return events


def _trader() -> list[tuple[str, dict[str, Any]]]:
    stall, events, n = "00-00-36 00000001", [], 0
    holder = {"payee_age_band": "50-64", "payee_opened": "2009-02-01"}
    for day in range(5):
        for k in range(10):
            n += 1
            at = _START + timedelta(days=day, hours=9 + 0.6 * k)
            payer = f"00-00-37 {(3 * day + k) % 25:08d}"
            events.append(_paid_in(n, at, payer, stall, (5, 10, 20)[k % 3], **holder))
        for k in range(3):
            n += 1
            events.append(
                _payment(
                    n, _START + timedelta(days=day, hours=16 + k), rail="card", amount_minor=4_315, payer_account=stall,
                    merchant_id=f"shop-{k}", mcc="5199",
                )
            )  # fmt: skip
    return events
