"""A series of scam payments: one victim, one payee, again and again, for weeks.

Investment, romance and advance fee scams do not take one large sum; they take what they can, then more. The "broker"
shows gains and asks for a top-up, the "partner" abroad has one emergency after another, the loan or the inheritance
needs just one more fee. Each payment alone looks like a person paying somebody they know. The series does not: a payee
that was new a few days or weeks ago, many payments in quick succession, sums that add up far above what this account
usually sends, and an account at the other end that is young, gets the same from others and passes it
on. The payer believes in it and may defend it: the first call is to somebody deceived.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 9, 19, 0, tzinfo=UTC)
_TWO_MONTHS = 60.0  # days: investment scams run for weeks, and the harm is done by then


class AppSeries(Detector):
    """Scores the payer's account on each further payment to a payee it has known for two months at most."""

    id = "app_series"
    title = "Payment after payment to a payee who may be deceiving the payer"
    version = 3
    status = "experimental"
    threat = "fraud"
    typology = "app_series"
    victim = True
    stream = "payments"
    subject = Entity.ACCOUNT
    four_p = "protect"
    gate = (pl.col("paid_before") >= 1) & (pl.col("payee_age") <= _TWO_MONTHS)
    # weights are fitted on made-up worlds over a month's end (no age in them), close to an expert's
    signals = (
        Signal("paid_before_total", 10_000, 300_000, 2.8, log=True),
        Signal("other.passed_on_count_7d", 0, 6, 3.0, log=True),
        Signal("payment_deviation", 1, 4, 2.3),
        Signal("other.account_age", 365, 10, 2.1),
        Signal(
            "new_payees_30d", 5, 1, 1.7
        ),  # who moves house pays many new payees; who is deceived, one or two
        Signal("payment_amount", 10_000, 200_000, 1.8, log=True),
        Signal("other.misnamed_7d", 0, 2, 1.7, log=True),
        Signal("since_paid", 604_800, 3_600, 1.3),
        Signal("paid_before", 1, 6, 1.0, log=True),
        Signal("to_new_payees_30d", 5_000, 50_000, 1.9, log=True),
        Signal("misnamed_30d", 0, 1, 1.3),
        Signal("payee_age", 10, 1, 0.9),
        Signal("other.dwell_7d", 3_000, 300, 1.6),
    )
    intercept = -12.6
    threshold = 0.5
    bands = (0.6, 0.8, 0.92)
    budget = 2.0
    harm: ClassVar[dict[str, int]] = {"financial": 4, "psychological": 3}
    facts = ("sent_7d", "balance_left", "from_own_24h", "other.senders_7d", "other.received_7d")
    place = "home_force"
    quiet_hours = 168
    misses = (
        "Payments by card to an exchange or abroad, series spread over many payees, and long-held, well-behaved payee "
        "accounts whose names match."
    )
    innocent = (
        "A house move, a builder or a wedding paid in stages, to payees of the last month.",
        "Rent or help sent to a partner, a student child or a relative with a new account.",
        "A saver who moves money in steps to an account of their own at another bank.",
    )
    runbook = (
        "Add up what went to this payee, from the first payment: does the payer say what it is for, and has anything ever come back?",
        "Look at the payee's other payers and where the money goes: the same sums from strangers, gone within the hour?",
        "Speak with the payer in private, without accusing: those deceived in love or by a broker have been told what to say to the bank.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A romance of ten days; a builder paid in stages; a music teacher."""
        return (
            Story(
                "one emergency after another, to an account that passes it on",
                _romance(),
                alerts_about=("account:00-00-81 00000001",),
            ),
            Story("a builder of many years paid in stages", _builder()),
            Story("a music teacher, the same sum each week", _teacher()),
        )


def _pay(
    n: int, at: datetime, payer: str, payee: str, pounds: float, **more: Any
) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"p{n}", "ts": at.isoformat(), "source": "bank", "rail": "fps", "channel": "mobile_app",
        "amount_minor": round(pounds * 100), "payer_account": payer, "payee_account": payee,
    }  # fmt: skip
    return "payments", record | more


def _life(payer: str, shop: str, band: str) -> list[tuple[str, dict[str, Any]]]:
    """A month of small payments to a payee known for long."""
    more = {"payer_age_band": band, "new_payee": False}
    return [_pay(d, _START - timedelta(days=d), payer, shop, 15.0 + d % 7, **more) for d in range(1, 31)]


def _romance() -> list[tuple[str, dict[str, Any]]]:
    payer, mule = "00-00-81 00000001", "00-00-83 00000001"
    events = _life(payer, "00-00-82 00000001", "65-79")
    opened = {"payee_opened": (_START - timedelta(days=25)).date().isoformat()}
    for k, pounds in enumerate((220.0, 380.0, 450.0, 700.0, 900.0, 1_250.0)):
        at = _START + timedelta(days=k)
        first = {"new_payee": k == 0} | ({"cop": "no_match", "cop_overridden": True} if k == 0 else {})
        events.append(_pay(100 + 2 * k, at, payer, mule, pounds, payer_age_band="65-79", **first, **opened))
        out = at + timedelta(minutes=12)
        events.append(_pay(101 + 2 * k, out, mule, "00-00-85 00000001", pounds - 10, new_payee=k == 0))
    return events


def _builder() -> list[tuple[str, dict[str, Any]]]:
    payer, builder = "00-00-81 00000002", "00-00-83 00000002"
    events = _life(payer, "00-00-82 00000002", "35-49")
    for k in range(4):
        more = {"payee_opened": "2008-04-01", "new_payee": k == 0, "payer_age_band": "35-49"}
        events.append(_pay(100 + k, _START + timedelta(days=7 * k), payer, builder, 1_500.0, **more))
    return events


def _teacher() -> list[tuple[str, dict[str, Any]]]:
    payer, teacher = "00-00-81 00000003", "00-00-83 00000003"
    events = _life(payer, "00-00-82 00000003", "65-79")
    for k in range(6):
        more = {"payee_opened": "2025-12-01", "new_payee": k == 0, "payer_age_band": "65-79"}
        events.append(_pay(100 + k, _START + timedelta(days=7 * k), payer, teacher, 32.0, **more))
    return events
