"""A scam payment: the holder is talked into paying a criminal, by their own hand and from their own phone.

Authorised push payment fraud. The goods do not exist, the caller is not the bank, the invoice's account was changed,
the "son" with a new number is a stranger. The payment itself is genuine, so what tells it is its shape: a payee just
added, a sum far above the usual, a name that did not match and was overridden, a limit raised or savings broken for
it. And it is the account it goes to: opened not long ago, paid by few, and by others to whom it is also new, under
names that do not match either, and sending strangers' money on to payees new to it. Purchase scams are small and look ordinary at
the payer's end; they are seen at the payee's, from the second victim on.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

import polars as pl

from detectors.base import Detector, Story
from features.rows import ROUND_SUMS_MINOR, Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 9, 11, 0, tzinfo=UTC)
_STREET: Final = 5
"""From so many small round sums a week on, seven in ten of its receipts, an account is a possible till (signal P1)."""
_STREET_SHARE: Final = 0.7
_FIRST_DAY = 1.0  # a scam's payments to one payee follow each other within hours; longer series have their own detector


class AppScam(Detector):
    """Scores the payer's account on each payment by hand to a payee it has not paid before today."""

    id = "app_scam"
    title = "A payment that its payer may be deceived into"
    version = 4
    status = "experimental"
    threat = "fraud"
    typology = "app_fraud"
    victim = True
    stream = "payments"
    subject = Entity.ACCOUNT
    four_p = "protect"
    # a small sum to an account that lives on small round sums is a purchase on the street: see line_money
    gate = (
        (pl.col("payee_age") <= _FIRST_DAY)
        & (pl.col("payment_amount") > 0)
        & (
            (pl.col("payment_amount") > ROUND_SUMS_MINOR[-1])
            | (pl.col("other.street_sums_7d") < _STREET)
            | (pl.col("other.street_share_7d") < _STREET_SHARE)
        )
    )
    # weights are fitted on made-up worlds over a month's end, close to an expert's
    signals = (
        Signal("since_payee_added", 3_600, 120, 4.0),
        Signal("other.onward_count_7d", 0, 2, 4.0, log=True),
        Signal("other.account_age", 365, 10, 2.8),
        Signal("overrode_24h", 0, 1, 2.4),
        Signal("other.onward_7d", 3_000, 60_000, 2.8, log=True),
        Signal("to_new_payees_24h", 5_000, 300_000, 1.8, log=True),
        Signal("other.from_new_7d", 5_000, 100_000, 1.1, log=True),
        Signal("new_payees_24h", 0, 1, 0.8),
        Signal("payment_amount", 20_000, 300_000, 1.4, log=True),
        Signal("payment_deviation", 1, 4, 0.7),
        Signal("other.senders_7d", 8, 1, 0.9, log=True),  # a shop or a landlord is paid by many
        Signal("other.dwell_7d", 3_000, 300, 1.3),
        Signal("since_limit_changed", 86_400, 600, 0.8),
        Signal("transfer_deviation", 1, 4, 1.1),
        Signal("other.passed_on_count_7d", 0, 3, 0.3, log=True),
        Signal("other.misnamed_7d", 1, 3, 0.6, log=True),
        Signal("from_own_24h", 0, 100_000, 0.4, log=True),
    )
    intercept = -11.7
    threshold = 0.5
    bands = (0.6, 0.8, 0.92)
    budget = 3.0
    harm: ClassVar[dict[str, int]] = {"financial": 3, "psychological": 2}
    facts = (
        "sent_24h",
        "recipients_24h",
        "balance_left",
        "other.senders_7d",
        "other.first_payments_7d",
        "other.received_7d",
    )
    place = "home_force"
    quiet_hours = 48
    misses = (
        "A first small purchase to a long-held account whose name matches, small round sums to an account that is paid "
        "little else, payees at banks that report nothing, and suppliers that say neither what is a new payee nor whether the name matched."
    )
    innocent = (
        "A deposit, a car, a builder or a solicitor: large, once, to somebody never paid before.",
        "A payee known under another name than their bank's (a married name, a trading name).",
        "A move of savings to a new account of one's own at another bank.",
        "A buyer on the street: small round sums to an account that many pay such sums are left to `line_money`.",
    )
    runbook = (
        "Have the bank call the payer now, away from any call in progress: who asked for the payment, and how did they get in touch?",
        "Look at the payee: how old is the account, who else paid in this week, and has the money already gone on?",
        "If it is a scam, ask for a recall at once and warn the other payers of this payee.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A safe-account scam; a builder; a friend paid back; what is bought on the street."""
        return (
            Story(
                "talked into a 'safe account', limit raised, warning overridden",
                _safe_account(),
                alerts_about=("account:00-00-71 00000001", "account:00-00-74 00000001"),  # two of its victims
            ),
            Story("a builder's deposit, the name matches, the account is old", _builder()),
            Story("a friend paid back for dinner", _friend()),
            Story("one of many who pay twenty pounds to the till of a line", _street()),
        )


def _pay(
    n: int, at: datetime, payer: str, payee: str, pounds: float, **more: Any
) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"p{n}", "ts": at.isoformat(), "source": "bank", "rail": "fps", "channel": "mobile_app",
        "amount_minor": round(pounds * 100), "payer_account": payer, "payee_account": payee,
    }  # fmt: skip
    return "payments", record | more


def _event(n: int, at: datetime, account: str, kind: str) -> tuple[str, dict[str, Any]]:
    record = {"event_id": f"a{n}", "ts": at.isoformat(), "source": "bank", "account": account, "kind": kind}
    return "accounts", record


def _life(payer: str, shop: str, band: str) -> list[tuple[str, dict[str, Any]]]:
    """Three weeks of small payments to a payee known for long."""
    more = {"payer_age_band": band, "new_payee": False}
    return [_pay(d, _START - timedelta(days=d), payer, shop, 15.0 + d % 7, **more) for d in range(1, 22)]


def _safe_account() -> list[tuple[str, dict[str, Any]]]:
    payer, mule = "00-00-71 00000001", "00-00-73 00000001"
    events = _life(payer, "00-00-72 00000001", "65-79")
    opened = (_START - timedelta(days=12)).date().isoformat()
    young = {"payee_opened": opened, "payee_age_band": "18-20", "new_payee": True}
    for k in range(2):  # others before, the money gone on each time
        at = _START - timedelta(hours=5 - 2 * k)
        events.append(_pay(50 + 2 * k, at, f"00-00-74 0000000{k}", mule, 800.0, cop="no_match", **young))
        out = at + timedelta(minutes=9)
        events.append(_pay(51 + 2 * k, out, mule, "00-00-75 00000001", 790.0, new_payee=k == 0))
    events.append(_event(60, _START - timedelta(minutes=6), payer, "limit_changed"))
    events.append(_event(61, _START - timedelta(minutes=3), payer, "payee_added"))
    more = young | {"cop": "no_match", "cop_overridden": True, "payer_age_band": "65-79"}
    return [*events, _pay(62, _START, payer, mule, 4_800.0, **more)]


def _builder() -> list[tuple[str, dict[str, Any]]]:
    payer, builder = "00-00-71 00000002", "00-00-73 00000002"
    events = _life(payer, "00-00-72 00000002", "35-49")
    events.append(_event(61, _START - timedelta(minutes=4), payer, "payee_added"))
    more = {"payee_opened": "2009-05-01", "new_payee": True, "cop": "match", "cop_overridden": False}
    return [*events, _pay(62, _START, payer, builder, 3_000.0, **more)]


def _friend() -> list[tuple[str, dict[str, Any]]]:
    payer, friend = "00-00-71 00000003", "00-00-73 00000003"
    events = _life(payer, "00-00-72 00000003", "18-20")
    events.append(_event(61, _START - timedelta(minutes=2), payer, "payee_added"))
    more = {"payee_age_band": "18-20", "new_payee": True, "cop": "close_match", "cop_overridden": True}
    return [*events, _pay(62, _START, payer, friend, 22.5, **more)]


def _street() -> list[tuple[str, dict[str, Any]]]:
    """The till is three weeks old, strangers pay it, and it sends on what they pay: a crime, but nobody is deceived."""
    till, payer = "00-00-73 00000004", "00-00-71 00000004"
    young = {"payee_opened": (_START - timedelta(days=20)).date().isoformat(), "new_payee": True}
    events = []
    for k in range(12):
        at = _START - timedelta(hours=3 * (12 - k))
        events.append(_pay(70 + k, at, f"00-00-71 000000{40 + k}", till, 20.0, **young))
    for k in range(2):
        at = _START - timedelta(hours=3 * k + 2)
        events.append(_pay(90 + k, at, till, f"00-00-75 000000{40 + k}", 90.0, new_payee=True))
    events.append(_event(92, _START - timedelta(minutes=2), payer, "payee_added"))
    return [*sorted(events, key=lambda e: e[1]["ts"]), _pay(93, _START, payer, till, 20.0, **young)]
