"""An account taken over: somebody else gets in, makes it theirs, adds a payee of their own and empties it.

The thief has the login from a phishing page, a leak or a call, and often the phone number too, by a SIM swap. What the
bank sees comes in an order: logins that fail, a password set anew, a device never seen before, sometimes a changed
phone number or email so that the holder is not told, then a new payee, a higher limit, and payments until the balance
or the limit is gone. Each step alone is everyday life (a new phone, a forgotten password); together and within a day
or two they are not. The alert comes with the payee or the limit, where the records allow, before the money goes.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 9, 14, 0, tzinfo=UTC)
_THREE_DAYS_S = 3 * 86_400  # fraud follows a change of access within 72 hours
_TWO_DAYS_S = 2 * 86_400


class AccountTakeover(Detector):
    """Scores an account, at its events and its payments, in the days after a new device or password."""

    id = "account_takeover"
    title = "New device and password, then a new payee and money out"
    version = 1
    status = "experimental"
    threat = "fraud"
    typology = "account_takeover"
    victim = True
    stream = "payments"
    subject = Entity.ACCOUNT
    four_p = "protect"
    gate = (pl.col("since_device_added") <= _THREE_DAYS_S) | (pl.col("since_reset") <= _THREE_DAYS_S)
    signals = (
        Signal("failed_logins_24h", 0, 4, 2.0, log=True),
        Signal("since_reset", _TWO_DAYS_S, 3_600, 2.0),
        Signal("since_limit_changed", _TWO_DAYS_S, 3_600, 1.7),
        Signal("payees_added_24h", 0, 1, 1.3),
        Signal("since_device_added", _TWO_DAYS_S, 3_600, 1.2),
        Signal("sent_on_new_device_24h", 2_000, 50_000, 0.9, log=True),
        Signal("since_detail_changed", _TWO_DAYS_S, 3_600, 0.8),
        Signal("other.passed_on_count_7d", 0, 3, 0.8, log=True),
        Signal("new_payees_24h", 0, 1, 0.6),
        Signal("misnamed_24h", 0, 1, 0.6),
        Signal("device_age", 3, 0, 0.6),
        Signal("to_new_payees_24h", 2_000, 50_000, 0.5, log=True),
        Signal("payment_deviation", 1, 4, 0.5),
        Signal("other.account_age", 365, 10, 0.5),
        Signal("since_payee_added", 3_600, 120, 0.4),
    )
    intercept = -6.2
    threshold = 0.5
    bands = (0.6, 0.85, 0.95)
    budget = 1.0
    harm: ClassVar[dict[str, int]] = {"financial": 3, "psychological": 2}
    facts = ("sent_24h", "recipients_24h", "balance_left", "holder_age")
    place = "home_force"
    quiet_hours = 72
    misses = (
        "Takeovers from the holder's own device (remote access, coercion), those who wait longer than three days, and "
        "banks that report payments only: without logins, devices and resets it has nothing to go by."
    )
    innocent = (
        "A new phone with a forgotten password, and a bill to pay to somebody new the same day.",
        "A son or daughter who helps a parent to online banking and sets up the payees.",
        "A holder back from abroad, locked out, who raises the limit to pay for something large.",
    )
    runbook = (
        "Call the holder on a number held since before the change, never on one changed this week: do they know the device and the payee?",
        "Ask the bank to hold payments to the new payee and to recall those that left; see whether that account passes money on.",
        "Check the holder's number for a SIM change or port in the last 72 hours, and other accounts under the same number.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A takeover within an afternoon; a new phone; a forgotten password."""
        return (
            Story(
                "locked in from a strange phone, a payee added, the balance sent",
                _taken("00-00-61 00000001", "t1"),
                alerts_about=("account:00-00-61 00000001",),
            ),
            Story("a new phone, the same payees as ever", _new_phone()),
            Story("a forgotten password, then the rent", _forgotten()),
        )


def _event(n: int, at: datetime, account: str, kind: str, device: str = "") -> tuple[str, dict[str, Any]]:
    record = {"event_id": f"a{n}", "ts": at.isoformat(), "source": "bank", "account": account, "kind": kind}
    return "accounts", record | ({"device_id": device} if device else {})


def _pay(
    n: int, at: datetime, payer: str, payee: str, pounds: float, **more: Any
) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"p{n}", "ts": at.isoformat(), "source": "bank", "rail": "fps", "channel": "mobile_app",
        "amount_minor": round(pounds * 100), "payer_account": payer, "payee_account": payee,
    }  # fmt: skip
    return "payments", record | more


def _life(account: str, landlord: str, device: str) -> list[tuple[str, dict[str, Any]]]:
    """Three weeks of the holder's own logins and small payments from the holder's own phone."""
    events = []
    for day in range(1, 22):
        at = _START - timedelta(days=day)
        events.append(_event(day, at, account, "login", device))
        more = {"device_id": device, "new_payee": False}
        events.append(_pay(day, at + timedelta(minutes=3), account, landlord, 20.0 + day, **more))
    return events


def _taken(account: str, device: str) -> list[tuple[str, dict[str, Any]]]:
    events = _life(account, "00-00-62 00000001", f"{device}-own")
    steps = [("login_failed", 2 * k) for k in range(5)]
    steps += [("credential_reset", 15), ("device_added", 18), ("login", 19), ("payee_added", 140)]
    steps += [("limit_changed", 142)]
    events += [
        _event(100 + i, _START + timedelta(minutes=m), account, kind, f"{device}-strange")
        for i, (kind, m) in enumerate(steps)
    ]
    more = {"device_id": f"{device}-strange", "cop": "no_match", "cop_overridden": True}
    for k in range(3):
        at = _START + timedelta(minutes=146 + 9 * k)
        events.append(_pay(100 + k, at, account, "00-00-63 00000001", 480.0, new_payee=k == 0, **more))
    return events


def _new_phone() -> list[tuple[str, dict[str, Any]]]:
    account, landlord = "00-00-61 00000002", "00-00-62 00000002"
    events = _life(account, landlord, "t2-own")
    events += [
        _event(100 + i, _START + timedelta(minutes=4 * i), account, kind, "t2-new")
        for i, kind in enumerate(("login_failed", "device_added", "login"))
    ]
    at = _START + timedelta(minutes=30)
    return [*events, _pay(100, at, account, landlord, 60.0, device_id="t2-new", new_payee=False)]


def _forgotten() -> list[tuple[str, dict[str, Any]]]:
    account, landlord = "00-00-61 00000003", "00-00-62 00000003"
    events = _life(account, landlord, "t3-own")
    steps = ("login_failed", "login_failed", "login_failed", "credential_reset", "login")
    events += [
        _event(100 + i, _START + timedelta(minutes=2 * i), account, kind, "t3-own")
        for i, kind in enumerate(steps)
    ]
    at = _START + timedelta(minutes=20)
    return [*events, _pay(100, at, account, landlord, 700.0, device_id="t3-own", new_payee=False)]
