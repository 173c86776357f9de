"""A payment during a call: somebody unknown talks a customer through paying a criminal.

Those who pose as the bank, the police or a broker keep their victim on the telephone: to move savings to a "safe
account", to invest before the price goes up, to pay a fee before a loan is released. The call comes from a number the
victim never had contact with, often abroad, withheld or shown falsely; while it goes on, or minutes after, money goes
to a payee never paid before, with the limit raised and warnings about the payee's name clicked away. The bank sees a
customer paying by hand from their own device; the operator sees a long call. Only the two together tell. Where the
operator reports the start of calls, the payment is seen while the victim is still on the line; where it reports them
whole, when the call is over. People who move house are rung by solicitors too, and pay them large sums; but they were
told the account before, in a letter, and it does not send strangers' money on: the caller who dictates an account while
the customer adds it is what tells. The one who pays is the victim.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

import polars as pl

from detectors.base import Story
from detectors.cross import Between, CrossDetector, Pair, Part
from features.rows import BY_HAND, PAYERS, Flag, Kind, Role
from models.scorecard import Signal

_SECOND_US: Final = 1_000_000
_MINUTE_US: Final = 60 * _SECOND_US
_START: Final = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def _ended(pair: Pair) -> int:
    """When the call ended, as far as is known at the payment."""
    call = pair.telecoms
    return max(call.began, pair.payment.ts) if call.is_open else call.began + call.lasted


def _call_minutes(pair: Pair) -> float:
    """How long the call had lasted when the payment was made."""
    return max(0, min(pair.payment.ts, _ended(pair)) - pair.telecoms.began) / _MINUTE_US


def _minutes_after(pair: Pair) -> float:
    if pair.payment.ts < pair.telecoms.began:
        return float("nan")  # the call came later than the payment
    return max(0, pair.payment.ts - _ended(pair)) / _MINUTE_US


def _hidden(pair: Pair) -> float:
    call = pair.telecoms
    hiding = (Flag.OTHER_WITHHELD, Flag.OTHER_FOREIGN, Flag.ABROAD_IN, Flag.SPOOFED)
    return float(any(call.has(flag) for flag in hiding) or call.other == (0, 0))


def _added_in_call(pair: Pair) -> float:
    """Whether a payee was added since the call began; where banks do not tell (NaN) it was not."""
    since_call = pair.payment.ts - pair.telecoms.began
    return float(pair.values["payment.since_payee_added"] * _SECOND_US <= since_call)


def _live(pair: Pair) -> float:
    return float(pair.telecoms.is_open)


def _known_after(pair: Pair) -> float:
    return (max(pair.payment.recorded, pair.telecoms.recorded) - pair.payment.ts) / _MINUTE_US


def _calls(pair: Pair) -> float:
    return float(len({(call.other, call.began) for call in pair.contacts}))


def _payments(pair: Pair) -> float:
    """Each payment once, however many banks have told of it."""
    return float(sum(payment.role == Role.PAYER for payment in pair.payments))


class CallDuringPayment(CrossDetector):
    """Scores a payment to a new payee with each long call from somebody new that it falls into or soon follows."""

    id = "call_during_payment"
    title = "A payment to a new payee during or just after a long call from somebody new"
    version = 3
    status = "experimental"
    threat = "fraud"
    typology = "call_during_payment"
    four_p = "protect"
    victim = True
    payment = Part(
        roles=PAYERS,  # that the payee is new may stand in the second bank's record only
        kinds=BY_HAND,
        gate=(pl.col("payee_age") <= 2.0) & (pl.col("payment_amount") >= 2_000),
        keeps="3h",  # until the record of a call that is over has come
    )
    telecoms = Part(
        roles=(Role.IN,),
        kinds=(Kind.CALL,),
        gate=((pl.col("caller_age") <= 2.0) | pl.col("caller_age").is_null())  # null: it hides its number
        & ((pl.col("call_length") >= 120) | (pl.col("calls_begun_4h") >= 1)),  # short ones: to end what began
        keeps="3h",
        lasting_s=120.0,
    )
    within = "3h"
    between = (
        Between("call_minutes", "minutes of the call before the payment", _call_minutes, "minutes"),
        Between(
            "minutes_after",
            "minutes from the end of the call to the payment, 0 during it",
            _minutes_after,
            "minutes",
        ),
        Between("hidden_caller", "the caller's number is withheld, foreign or shown falsely", _hidden),
        Between("calls", "long calls from new callers within three hours", _calls),
        Between("payments", "payments to new payees within three hours", _payments),
        Between("added_in_call", "a payee was added since the call began", _added_in_call),
        Between(
            "said_new", "the bank says the payee is new", lambda pair: float(pair.payment.has(Flag.NEW_PAYEE))
        ),
        Between(
            "name_wrong", "the payee's name did not match", lambda pair: float(pair.payment.has(Flag.COP_BAD))
        ),
        Between(
            "overridden",
            "paid although the name did not match",
            lambda pair: float(pair.payment.has(Flag.COP_OVERRIDDEN)),
        ),
        Between("seen_live", "seen while the call went on, from the record of its start", _live),
        Between("known_after", "from the payment to when both halves were known", _known_after, "minutes"),
    )
    gate = (pl.col("between.minutes_after") <= 30.0) & (pl.col("between.call_minutes") >= 2.0)
    # weights are fitted on made-up worlds with many house moves, close to an expert's
    signals = (
        Signal("between.added_in_call", 0, 1, 2.0),  # the caller says where to pay
        Signal("between.call_minutes", 3, 30, 1.3, log=True),
        Signal("between.minutes_after", 30, 2, 0.8),
        Signal("between.hidden_caller", 0, 1, 1.4),
        Signal("between.calls", 1, 3, 0.2),
        Signal("between.payments", 1, 3, 1.3),
        Signal("between.said_new", 0, 1, 0.2),
        Signal("between.name_wrong", 0, 1, 0.2),
        Signal("between.overridden", 0, 1, 1.1),
        Signal("telecoms.caller_age", 1, 0, 0.4),
        Signal("telecoms.other.sim_age", 60, 10, 0.9),  # a caller whose number is a few weeks old
        Signal("payment.payment_deviation", 1, 3, 0.9),
        Signal("payment.payment_amount", 10_000, 100_000, 1.1, log=True),  # a house costs more than a scam
        Signal("payment.payee_age", 1, 0, 0.2),
        Signal("payment.other.account_age", 365, 30, 0.9),
        Signal("payment.other.first_payments_7d", 1, 5, 0.7, log=True),
        Signal("payment.other.onward_count_7d", 0, 2, 1.2, log=True),  # strangers' money does not stay there
        Signal("payment.other.passed_on_count_7d", 0, 3, 1.0, log=True),
        Signal("payment.other.misnamed_7d", 1, 3, 0.3, log=True),
        Signal("payment.since_limit_changed", 86_400, 3_600, 0.8),
        Signal("payment.since_reset", 86_400, 3_600, 0.3),
    )
    intercept = -7.2
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 1.5
    harm: ClassVar[dict[str, int]] = {"financial": 4, "psychological": 3}
    facts = (
        "between.seen_live",
        "between.known_after",
        "payment.balance_left",
        "payment.since_payee_added",
    )
    place = "payment.home_force"
    quiet_hours = 48
    misses = (
        "Calls over the internet (WhatsApp and the like), victims whose bank does not know their number, payments later "
        "than half an hour after the call, and a single payment to an old account that was added before the call."
    )
    innocent = (
        "Someone moving house or buying a car who adds and pays a solicitor or seller while they are on the telephone.",
        "A tradesman or a school who rings for the first time and is paid at the end of the call.",
        "A relative who rings from abroad from a new number and is sent money.",
    )
    runbook = (
        "If the call still goes on, ask the bank to hold the payment and to reach the customer on another line.",
        "See who else the caller has rung and whether any of them paid the same account.",
        "Look at the payee: how old is the account, how many strangers paid it this week, and did the name match?",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A "safe account" during a call, told live and afterwards; a house move; a call about nothing."""
        return (
            Story(
                "a caller from abroad talks a pensioner into a safe account; the operator tells of calls as they begin",
                _safe_account("00-00-61 00000001", "+447700900611", live=True),
                alerts_about=("account:00-00-61 00000001",),
            ),
            Story(
                "the same, told of when the call is over",
                _safe_account("00-00-61 00000002", "+447700900612", live=False),
                alerts_about=("account:00-00-61 00000002",),
            ),
            Story(
                "the payee's bank tells of the payment first, the payer's that payee and name were new and wrong",
                _safe_account("00-00-61 00000005", "+447700900615", live=False, banks=2),
                alerts_about=("account:00-00-61 00000005",),
            ),
            Story(
                "a deposit for a house after a talk with the solicitor, whose account was added before",
                _deposit(),
            ),
            Story("a plumber rings back and is paid his usual sum", _plumber()),
            Story("a long call from somebody new, and rent to the landlord of always", _rent()),
        )


def _paid(
    n: int, at: datetime, payer: str, payee: str, pounds: float, phone: str, **more: Any
) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"p{n}", "ts": at.isoformat(), "source": "bank", "rail": "fps", "amount_minor": round(pounds * 100),
        "payer_account": payer, "payee_account": payee, "payer_phone": phone, "new_payee": False,
    }  # fmt: skip
    return "payments", record | more


def _call(
    n: int, at: datetime, number: str, other: str, seconds: int, **more: Any
) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"t{n}", "ts": at.isoformat(), "source": "operator", "kind": "call", "number": number,
        "other_number": other, "direction": "mt", "phase": "complete", "answered": True, "duration_s": seconds,
    }  # fmt: skip
    recorded = {"recorded_ts": (at + timedelta(seconds=seconds)).isoformat()}
    return "telecoms", record | recorded | more


def _usual(payer: str, phone: str) -> list[tuple[str, dict[str, Any]]]:
    """A month of ordinary payments by hand."""
    return [
        _paid(500 + k, _START - timedelta(days=28 - 3 * k), payer, f"{payer[:-2]}9{k % 3}", 22.0 + k, phone)
        for k in range(9)
    ]


def _added(account: str, at: datetime) -> tuple[str, dict[str, Any]]:
    """A payee is added; its bank says so."""
    record = {"event_id": "a1", "ts": at.isoformat(), "source": "bank", "kind": "payee_added"}
    return "accounts", record | {"account": account}


def _safe_account(victim: str, phone: str, *, live: bool, banks: int = 1) -> list[tuple[str, dict[str, Any]]]:
    events, caller = [*_usual(victim, phone), _added(victim, _START + timedelta(minutes=15))], "+33199000611"
    told = {"ingress": "international"}
    if live:
        start = _call(1, _START, phone, caller, 0, phase="start", call_id="c1", **told)
        events.append(
            (
                start[0],
                {k: v for k, v in start[1].items() if k not in ("duration_s", "answered", "recorded_ts")},
            )
        )
        end = _START + timedelta(minutes=41)
        events.append(
            _call(
                2, end, phone, caller, 41 * 60, phase="end", call_id="c1", recorded_ts=end.isoformat(), **told
            )
        )
    else:
        events.append(_call(1, _START, phone, caller, 41 * 60, **told))
    more = {
        "new_payee": True, "cop": "no_match", "cop_overridden": True, "payer_age_band": "65-79",
        "payee_opened": (_START - timedelta(days=12)).date().isoformat(),
    }  # fmt: skip
    mule = f"{victim[:-2]}77"
    for k in range(2 if banks == 1 else 1):
        at = _START + timedelta(minutes=18 + 9 * k)
        if banks == 1:
            events.append(_paid(k, at, victim, mule, 2_400.0, phone, **more))
        else:
            opened = more["payee_opened"]
            first = _paid(1, at, victim, mule, 2_400.0, phone, payment_id="s1", payee_opened=opened)
            first[1].update(source="payees", new_payee=None)
            del first[1]["payer_phone"]
            later = at + timedelta(seconds=4)
            events += [first, _paid(2, later, victim, mule, 2_400.0, phone, payment_id="s1", **more)]
    return sorted(events, key=lambda e: e[1]["ts"])


def _plumber() -> list[tuple[str, dict[str, Any]]]:
    customer, phone = "00-00-61 00000003", "+447700900613"
    more = {"new_payee": True, "cop": "match", "payee_opened": "2015-06-01"}
    events = [
        *_usual(customer, phone),
        _call(1, _START, phone, "+447700900699", 260),
        _paid(1, _START + timedelta(minutes=9), customer, "00-00-61 00000088", 60.0, phone, **more),
    ]
    return sorted(events, key=lambda e: e[1]["ts"])


def _deposit() -> list[tuple[str, dict[str, Any]]]:
    """The account was in a letter and is added the day before; its name in the letter is the firm's, not the account's."""
    buyer, phone = "00-00-61 00000006", "+447700900616"
    more = {"new_payee": True, "cop": "no_match", "cop_overridden": False, "payee_opened": "2019-06-01"}
    events = [
        *_usual(buyer, phone),
        _added(buyer, _START - timedelta(hours=20)),
        _call(1, _START, phone, "+447700900698", 1_800),
        _paid(1, _START + timedelta(minutes=25), buyer, "00-00-61 00000087", 24_500.0, phone, **more),
    ]
    return sorted(events, key=lambda e: e[1]["ts"])


def _rent() -> list[tuple[str, dict[str, Any]]]:
    tenant, phone, landlord = "00-00-61 00000004", "+447700900614", "00-00-61 00000089"
    events = [_paid(k, _START - timedelta(days=30 * k), tenant, landlord, 700.0, phone) for k in range(1, 7)]
    events += [
        _call(1, _START, phone, "+33199000612", 1_500, ingress="international"),
        _paid(9, _START + timedelta(minutes=20), tenant, landlord, 700.0, phone),
    ]
    return sorted(events, key=lambda e: e[1]["ts"])
