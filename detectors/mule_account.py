"""A mule account: money comes in from people who do not know its holder and leaves again, within the hour or in days.

Stolen money has to be moved before the bank or the victim notices. A mule lends, sells or is made to give up an
account: payments from strangers arrive, often far above what those payers usually send, and are sent on, to
a payee that is new here too, to cash or to crypto. What tells it from busy ordinary accounts is both ends at once:
new to those who pay in, and new payees on the way out; an ordinary person who is paid by a stranger does not send the
sum on to another. So are those who pay in: some raised a limit or overrode a warning that day, others send strangers'
money on themselves. Wages, pensions and benefits come by Bacs, and a household that pays on what it lives on is no mule:
only what somebody sent by hand is counted as passed on. Many mules are young, some are deceived, some coerced: the holder
may be a victim.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


class MuleAccount(Detector):
    """Scores an account on each payment it makes or receives."""

    id = "mule_account"
    title = "Money from strangers, passed straight on"
    version = 5
    status = "experimental"
    threat = "fraud"
    typology = "mule"
    stream = "payments"
    subject = Entity.ACCOUNT
    four_p = "pursue"
    gate = (
        (pl.col("passed_on_count_7d") >= 1)
        | (pl.col("onward_count_7d") >= 1)
        | (pl.col("from_onward_7d") >= 1)
        | (pl.col("drawn_7d") > 0)
        | (
            (pl.col("first_payments_7d") >= 1)
            & (
                (pl.col("from_passers_7d") >= 1)
                | (pl.col("misnamed_7d") >= 1)
                | (pl.col("account_age") <= 60)
            )
        )
    )
    # weights are fitted on made-up worlds over a month's end, with what the payer's bank says and without, close to an expert's
    signals = (
        Signal("onward_share_7d", 0.1, 0.8, 2.5),
        Signal("passed_on_count_7d", 1, 6, 3.7, log=True),
        Signal("from_passers_share_7d", 0.1, 0.6, 3.4),  # further rows are paid by those who pass money on
        Signal("onward_7d", 3_000, 60_000, 2.0, log=True),
        Signal("account_age", 365, 20, 2.4),
        Signal("from_strangers_24h", 5_000, 200_000, 1.8, log=True),
        Signal("from_onward_7d", 0, 1.5, 2.1, log=True),
        Signal("dwell_7d", 3_000, 300, 2.7),
        Signal("to_mule_like_7d", 0, 100_000, 2.4, log=True),
        Signal("from_raised_7d", 0, 1, 1.8),
        Signal("passed_on_share_24h", 0.3, 0.9, 1.4),
        Signal("to_new_payees_24h", 5_000, 100_000, 1.2, log=True),
        Signal("new_count_share", 0.2, 0.8, 0.7),
        Signal("from_warned_7d", 0, 1, 1.5),
        Signal("new_payees_24h", 0, 2, 0.9, log=True),
        Signal("from_new_7d", 2_000, 100_000, 0.7, log=True),
        Signal("misnamed_24h", 0, 1, 0.8),
        Signal("into_quasi_cash_7d", 0, 50_000, 1.1, log=True),
        Signal("drawn_share_7d", 0.1, 0.8, 0.8),
        Signal("unusual_for_payers_7d", 0, 3, 0.4, log=True),
    )
    intercept = -8.8
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 2.0
    harm: ClassVar[dict[str, int]] = {"financial": 3, "psychological": 1}
    facts = (
        "senders_7d",
        "first_payments_7d",
        "from_passers_7d",
        "strangers_24h",
        "passed_on_24h",
        "street_share_7d",
        "received_24h",
        "sent_24h",
        "received_count_24h",
        "sent_count_24h",
        "recipients_24h",
        "largest_received_7d",
    )
    place = "home_force"
    active = "payers_force"
    quiet_hours = 72
    misses = (
        "Stolen money that comes by Bacs or by standing order; mules with an old account who keep the money for more than two days, or send it to somebody they have paid before; "
        "payers whose banks do not say that a payee is new, unless the money is gone within the hour; money inside one bank "
        "that does not report."
    )
    innocent = (
        "A treasurer or organiser who collects from a group and pays one bill.",
        "A marketplace seller or gig worker who moves takings to savings or cash at once.",
        "Someone moving house: a deposit in, several new payees out.",
        "Someone who sells a car or a phone to a stranger and buys another from a stranger the next day.",
        "A young person with a first account whom friends pay for the first time, some with the nickname as its name.",
    )
    runbook = (
        "Look at who paid in during the last 24 hours: do any of them know the holder, and has any reported a fraud?",
        "See where the money went within the hour: to the holder's own account, to cash, or to accounts that do the same?",
        "Check the holder's age and circumstances: a young or vulnerable holder may be deceived or coerced.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A mule in its first afternoon; a treasurer paying for the trip at the end of the week."""
        return (
            Story(
                "strangers pay in, all of it leaves in minutes",
                _mule(),
                alerts_about=("account:00-00-11 00000001",),
            ),
            Story(
                "the second row of mules keeps what the first passes on until the next day",
                _second_row(),
                alerts_about=_ROWS,
            ),
            Story(
                "an old account in everyday use lets a stranger's money lie until the next day",
                _everyday(),
                alerts_about=("account:00-00-14 00000001",),
            ),
            Story("an old car is sold to a stranger and the sum put by", _car_sold()),
            Story("a treasurer collects for a trip and pays the coach a week later", _treasurer()),
            Story("salary in, rent out the same day", _salary()),
            Story("the first wage of a new job is gone within the hour, to payees who are new", _payday()),
        )


def _payment(
    n: int, at: datetime, payer: str, payee: str, pounds: float, **more: Any
) -> tuple[str, dict[str, Any]]:
    when = at.isoformat()
    record = {
        "event_id": f"p{n}",
        "ts": when,
        "source": "bank",
        "rail": "fps",
        "amount_minor": round(pounds * 100),
        "payer_account": payer,
        "payee_account": payee,
    }
    return "payments", record | more


def _mule() -> list[tuple[str, dict[str, Any]]]:
    mule, events = "00-00-11 00000001", []
    opened = {"payee_opened": (_START - timedelta(days=20)).date().isoformat()}
    for day in range(-25, 0):  # the victims' ordinary lives
        for v in range(3):
            at = _START + timedelta(days=day, hours=v)
            events.append(
                _payment(1_000 + 10 * (day + 25) + v, at, f"00-00-20 0000000{v}", "00-00-30 00000001", 20 + v)
            )
    for v in range(3):
        at = _START + timedelta(minutes=40 * v)
        events.append(_payment(10 * v, at, f"00-00-20 0000000{v}", mule, 900.0 + 50 * v, **opened))
        out = at + timedelta(minutes=8)
        events.append(_payment(10 * v + 1, out, mule, f"00-00-40 0000000{v}", 890.0 + 50 * v))
    return events


_FIRST_ROW = tuple(f"00-00-12 0000000{k}" for k in range(3))
_ROWS = tuple(f"account:{name}" for name in (*_FIRST_ROW, "00-00-13 00000001"))


def _second_row() -> list[tuple[str, dict[str, Any]]]:
    """Three mules pass on to a fourth, who sits on it overnight: there only who pays it, and as whom, is telling."""
    slow, events = "00-00-13 00000001", []
    new = {"new_payee": True}
    for k, mule in enumerate(_FIRST_ROW):
        at = _START + timedelta(minutes=50 * k)
        known = {"payee_opened": "2026-01-20"}
        events.append(_payment(10 * k, at, f"00-00-23 0000000{k}", mule, 600.0 + 70 * k, **known))
        young = {"payee_opened": "2026-02-05", "payee_age_band": "18-20"}
        onward = at + timedelta(minutes=11)
        events.append(
            _payment(10 * k + 1, onward, mule, slow, 570.0 + 70 * k, cop="no_match", **new, **young)
        )
    gone = _START + timedelta(hours=23)
    events.append(_payment(90, gone, slow, "00-00-43 00000001", 1_850.0, **new))
    return events


def _everyday() -> list[tuple[str, dict[str, Any]]]:
    """Told by two banks: the payee's says first how old the account is, the payer's a little later that it is new."""
    mule, events = "00-00-14 00000001", []
    old = {"payee_opened": "2016-03-01", "payee_age_band": "18-20"}
    for week in range(3):
        paid = _START - timedelta(days=3 + 7 * week)
        events.append(_payment(10 + week, paid, "00-00-54 00000001", mule, 400.0, rail="bacs", **old))
        events.append(_payment(20 + week, paid + timedelta(hours=5), mule, "00-00-55 00000001", 60.0))
    events.append(
        _payment(30, _START, "00-00-24 00000001", mule, 850.0, payment_id="s1", source="payees", **old)
    )
    seen = _START + timedelta(seconds=4)
    events.append(
        _payment(31, seen, "00-00-24 00000001", mule, 850.0, payment_id="s1", source="payers", new_payee=True)
    )
    gone = _START + timedelta(hours=20)
    events.append(_payment(32, gone, mule, "00-00-44 00000001", 820.0, new_payee=True, cop="no_match"))
    return events


def _car_sold() -> list[tuple[str, dict[str, Any]]]:
    seller, new = "00-00-14 00000002", {"new_payee": True, "payee_opened": "2009-06-01"}
    events = [_payment(1, _START, "00-00-24 00000002", seller, 2_400.0, **new)]
    events.append(
        _payment(2, _START + timedelta(hours=3), seller, "00-00-44 00000002", 2_000.0, new_payee=False)
    )
    return [
        *events,
        _payment(3, _START + timedelta(days=1), seller, "00-00-44 00000003", 35.0, new_payee=True),
    ]


def _treasurer() -> list[tuple[str, dict[str, Any]]]:
    club = "00-00-11 00000002"
    events = [
        _payment(n, _START + timedelta(hours=5 * n), f"00-00-21 000000{n:02d}", club, 40.0) for n in range(24)
    ]
    return [*events, _payment(90, _START + timedelta(days=7), club, "00-00-31 00000009", 960.0)]


def _salary() -> list[tuple[str, dict[str, Any]]]:
    events = []
    for month in range(3):
        at = _START + timedelta(days=30 * month)
        events.append(_payment(10 * month, at, "00-00-50 00000001", "00-00-11 00000003", 2100.0, rail="bacs"))
        events.append(
            _payment(
                10 * month + 1, at + timedelta(minutes=30), "00-00-11 00000003", "00-00-51 00000001", 950.0
            )
        )
    return events


def _payday() -> list[tuple[str, dict[str, Any]]]:
    """Three people paid by one new employer on the last night of the month; the first rent of a new flat goes out at once."""
    paid, events = datetime(2026, 3, 31, 1, 0, tzinfo=UTC), []
    for k in range(3):
        me, new = f"00-00-15 0000000{k}", {"new_payee": True}
        wage = {"rail": "bacs", "payee_opened": "2025-11-01"}
        events.append(_payment(10 * k, paid, "00-00-50 00000002", me, 1_950.0 + 70 * k, **wage))
        at = paid + timedelta(minutes=20 + 5 * k)
        events.append(_payment(10 * k + 1, at, me, "00-00-51 00000002", 640.0, **new))
        events.append(
            _payment(10 * k + 2, at + timedelta(minutes=3), me, f"00-00-52 0000000{k}", 900.0, **new)
        )
    return sorted(events, key=lambda event: str(event[1]["ts"]))
