"""A taken number and a drained account: the SIM changes, then the bank's codes open the door.

A thief has a victim's number moved to a SIM of their own: by posing as the victim in a shop or on the telephone, by
porting it out, or by forwarding its calls. From then on the codes that the bank sends come to the thief, who sets the
password anew, adds a device, raises the limit, adds a payee and empties the account, nearly always within 72 hours.
People who buy a new telephone change their SIM or handset too, and some of them set a password anew; but they go on
paying the same people the same sums. The operator sees the change, the bank the reset: the two together are told here,
from the reset on and before money has left where the bank reports what happens to accounts. The holder is the victim.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

import polars as pl

from detectors.base import Story
from detectors.cross import Between, CrossDetector, Pair, Part
from features.rows import BY_HAND, PAYERS, Flag, Kind, Role
from models.scorecard import Signal

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_START: Final = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
_NEW_SIM: Final = (Kind.SIM_CHANGE, Kind.PORT)


def _since(pair: Pair) -> int:
    """From the change to what happened at the bank; nothing when the change came later."""
    return pair.payment.ts - pair.telecoms.ts


def _hours(pair: Pair) -> float:
    since = _since(pair)
    return since / _HOUR_US if since >= 0 else float("nan")


def _happened_since(kind: Kind, column: str) -> Any:
    """Whether something happened to the account between the change and now, or is what happens now."""

    def worked(pair: Pair) -> float:
        if pair.payment.kind == kind:
            return 1.0
        return float(pair.values[f"payment.{column}"] * 1e6 <= _since(pair))  # never: NaN, which is no

    return worked


def _device_since(pair: Pair) -> float:
    new_device = pair.payment.kind == Kind.DEVICE_ADDED or pair.values[
        "payment.since_device_added"
    ] * 1e6 <= _since(pair)
    return float(new_device or pair.values["payment.device_age"] * _DAY_US <= _since(pair))


def _changes(pair: Pair) -> float:
    """How many kinds of change the number went through beside this one."""
    kinds = {c.kind for c in pair.contacts if c.ts <= pair.payment.ts}
    return float(len(kinds & {Kind.DEVICE_CHANGE, Kind.FORWARDING}) + bool(kinds & set(_NEW_SIM)))


def _drained(pair: Pair) -> float:
    """The share of what was in the account that this payment takes."""
    payment = pair.payment
    before = payment.value + max(payment.balance, 0.0)
    return payment.value / before if before > 0 and payment.role in PAYERS else float("nan")


def _elsewhere(pair: Pair) -> float:
    where, lives = pair.telecoms.force, pair.payment.home
    return float(where != lives) if where and lives else float("nan")


class SimSwapPayment(CrossDetector):
    """Scores what happens at the bank in the three days after its customer's number changed hands, or seems to have."""

    id = "sim_swap_payment"
    title = "A changed SIM, then new access and new payees at the bank"
    version = 2
    status = "experimental"
    threat = "fraud"
    typology = "sim_swap_takeover"
    four_p = "protect"
    victim = True
    payment = Part(
        roles=(*PAYERS, Role.HOLDER),
        kinds=(
            *BY_HAND,
            Kind.CREDENTIAL_RESET,
            Kind.DEVICE_ADDED,
            Kind.PAYEE_ADDED,
            Kind.LIMIT_CHANGED,
            Kind.DETAIL_CHANGED,
        ),
        gate=(pl.col("payee_age") <= 3.0) | pl.col("payee_age").is_null(),  # null: not a payment
        keeps="1h",  # only for records of the change that come late
    )
    telecoms = Part(
        roles=(Role.SELF,),
        kinds=(Kind.SIM_CHANGE, Kind.PORT, Kind.DEVICE_CHANGE, Kind.FORWARDING),
        gate=pl.lit(value=True),
        keeps="72h",
    )
    within = "72h"
    between = (
        Between("hours", "hours since the change", _hours, "hours"),
        Between(
            "new_sim",
            "the SIM changed or the number moved",
            lambda pair: float(pair.telecoms.kind in _NEW_SIM),
        ),
        Between("changes", "kinds of change of the number within three days", _changes),
        Between("elsewhere", "the change was seen in another force than the holder's home", _elsewhere),
        Between(
            "reset",
            "password or passcode set anew since",
            _happened_since(Kind.CREDENTIAL_RESET, "since_reset"),
        ),
        Between("device", "a device that is new since", _device_since),
        Between("limit", "limit changed since", _happened_since(Kind.LIMIT_CHANGED, "since_limit_changed")),
        Between(
            "details",
            "phone, email or address changed since",
            _happened_since(Kind.DETAIL_CHANGED, "since_detail_changed"),
        ),
        Between("payee", "a payee added since", _happened_since(Kind.PAYEE_ADDED, "since_payee_added")),
        Between(
            "paying",
            "money is being sent to a payee who is new",
            lambda pair: float(pair.payment.role in PAYERS),
        ),
        Between("drained", "share of what was in the account", _drained, "share"),
        Between(
            "name_wrong", "the payee's name did not match", lambda pair: float(pair.payment.has(Flag.COP_BAD))
        ),
    )
    gate = pl.col("between.hours") >= 0.0
    signals = (
        Signal("between.hours", 72, 6, 1.0),
        Signal("between.new_sim", 0, 1, 1.0),
        Signal("between.changes", 1, 3, 0.5),
        Signal("between.elsewhere", 0, 1, 0.5),
        Signal("between.reset", 0, 1, 1.6),
        Signal("between.device", 0, 1, 0.9),
        Signal("between.limit", 0, 1, 0.7),
        Signal("between.details", 0, 1, 0.5),
        Signal("between.payee", 0, 1, 0.7),
        Signal("between.paying", 0, 1, 0.6),
        Signal("between.drained", 0.2, 0.8, 0.9),
        Signal("between.name_wrong", 0, 1, 0.4),
        Signal("payment.failed_logins_24h", 0, 3, 0.6),
        Signal("payment.transfer_deviation", 1, 4, 0.9),
        Signal("payment.to_new_payees_24h", 30_000, 300_000, 0.6, log=True),
        Signal("payment.other.account_age", 365, 30, 0.5),
    )
    intercept = -5.6
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.5
    harm: ClassVar[dict[str, int]] = {"financial": 4, "psychological": 3}
    facts = (
        "payment.payment_amount", "payment.balance_left", "payment.device_age", "payment.since_reset",
        "payment.since_device_added", "payment.since_limit_changed", "payment.since_detail_changed",
        "payment.since_payee_added", "telecoms.sim_age",
    )  # fmt: skip
    place = "payment.home_force"
    quiet_hours = 72
    misses = (
        "Takeovers without a change at the operator (codes talked or phished out of the customer), accounts whose "
        "number is not known, and thieves who wait longer than three days."
    )
    innocent = (
        "A new telephone: the SIM changes in a shop, the bank's app is set up on it again, and the same people are paid.",
        "A number moved to another operator in the week of a house move, with new payees and large sums.",
        "A lost telephone: new SIM, password set anew in haste, and ordinary payments after it.",
    )
    runbook = (
        "Ask the operator how the change was asked for, where, and whether the customer had complained of a dead phone.",
        "Reach the customer by another way than this number before any payment to a new payee is let go.",
        "Look at the device and the payee: did other customers with a changed SIM meet the same ones?",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A number taken in a shop and the account emptied; an upgrade; a new SIM and a first payment to a friend."""
        return (
            Story(
                "a SIM changed in a shop far away, then reset, device, payee and drain",
                _taken(),
                alerts_about=("account:00-00-62 00000001",),
            ),
            Story("a new telephone, set up in the bank's app, the same people paid", _upgrade()),
            Story("a new SIM, and a friend paid for the first time", _friend()),
        )


def _paid(
    n: int, at: datetime, payer: str, payee: str, pounds: float, phone: str, **more: Any
) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"p{n}", "ts": at.isoformat(), "source": "bank", "rail": "fps", "amount_minor": round(pounds * 100),
        "payer_account": payer, "payee_account": payee, "payer_phone": phone, "payer_force": "E23000008",
        "new_payee": False, "device_id": f"own-{phone[-3:]}",
    }  # fmt: skip
    return "payments", record | more


def _changed(n: int, at: datetime, number: str, kind: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "telecoms", {
        "event_id": f"t{n}",
        "ts": at.isoformat(),
        "source": "operator",
        "kind": kind,
        "number": number,
    } | more


def _done(n: int, at: datetime, account: str, kind: str, device: str) -> tuple[str, dict[str, Any]]:
    record = {"event_id": f"a{n}", "ts": at.isoformat(), "source": "bank", "kind": kind, "account": account}
    return "accounts", record | {"device_id": device}


def _usual(payer: str, phone: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        _paid(500 + k, _START - timedelta(days=28 - 3 * k), payer, f"{payer[:-2]}9{k % 3}", 24.0 + k, phone,
              payer_balance_minor=310_000)
        for k in range(9)
    ]  # fmt: skip


def _taken() -> list[tuple[str, dict[str, Any]]]:
    victim, phone, thief = "00-00-62 00000001", "+447700900621", "thief-1"
    more = {"new_payee": True, "device_id": thief, "cop": "no_match", "cop_overridden": True}
    events = [
        *_usual(victim, phone),
        _changed(1, _START, phone, "sim_change", imsi="001010000006211", force="E23000004", channel="store"),
        _changed(2, _START + timedelta(minutes=3), phone, "device_change", imei="00100000006211", force="E23000004"),
        _done(1, _START + timedelta(hours=2), victim, "login_failed", thief),
        _done(2, _START + timedelta(hours=2, minutes=3), victim, "credential_reset", thief),
        _done(3, _START + timedelta(hours=2, minutes=6), victim, "device_added", thief),
        _done(4, _START + timedelta(hours=2, minutes=20), victim, "payee_added", thief),
        _done(5, _START + timedelta(hours=2, minutes=22), victim, "limit_changed", thief),
        _paid(1, _START + timedelta(hours=2, minutes=26), victim, "00-00-62 00000077", 2_600.0, phone,
              payer_balance_minor=50_000, **more),
    ]  # fmt: skip
    return sorted(events, key=lambda e: e[1]["ts"])


def _upgrade() -> list[tuple[str, dict[str, Any]]]:
    holder, phone = "00-00-62 00000002", "+447700900622"
    events = [
        *_usual(holder, phone),
        _changed(1, _START, phone, "sim_change", imsi="001010000006221", force="E23000008", channel="store"),
        _changed(2, _START + timedelta(minutes=9), phone, "device_change", imei="00100000006221", force="E23000008"),
        _done(1, _START + timedelta(hours=3), holder, "device_added", "new-622"),
        _paid(1, _START + timedelta(hours=5), holder, "00-00-62 00000091", 26.0, phone,
              payer_balance_minor=300_000, device_id="new-622"),
    ]  # fmt: skip
    return sorted(events, key=lambda e: e[1]["ts"])


def _friend() -> list[tuple[str, dict[str, Any]]]:
    holder, phone = "00-00-62 00000003", "+447700900623"
    events = [
        *_usual(holder, phone),
        _changed(1, _START, phone, "sim_change", imsi="001010000006231", force="E23000008", channel="store"),
        _done(1, _START + timedelta(hours=8), holder, "payee_added", "own-623"),
        _paid(1, _START + timedelta(hours=8, minutes=2), holder, "00-00-62 00000078", 30.0, phone,
              payer_balance_minor=300_000, new_payee=True, cop="match"),
    ]  # fmt: skip
    return sorted(events, key=lambda e: e[1]["ts"])
