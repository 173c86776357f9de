"""A SIM swap: somebody has a customer's number moved to a SIM of their own, to get the codes a bank sends to it.

The thief talks a shop or a call centre into a new SIM, uses a stolen login to order one, or moves the number to
another operator. From that minute calls and texts come to the thief's handset, often in another town; within hours,
and nearly always within three days, codes arrive from the bank, credentials are reset and the account is emptied.
Some set forwarding too, so as to be called instead of the customer. The holder of the number is a victim.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
_THREE_DAYS = 3 * 86_400
_FIRST_HOURS = (
    6 * 3_600
)  # where the new handset turns up then, it was taken to: later it may be a mere journey
_HOME, _FAR = (52.63, 1.30), (53.48, -2.24)


class SimSwap(Detector):
    """Scores a number on its records in the three days after its SIM has changed."""

    id = "sim_swap"
    title = "A number moved to another SIM, and then codes come"
    version = 2
    status = "experimental"
    threat = "telecoms_fraud"
    typology = "sim_swap_takeover"
    victim = True
    stream = "telecoms"
    subject = Entity.NUMBER
    four_p = "protect"
    gate = (pl.col("since_sim_change") <= _THREE_DAYS) & (
        (pl.col("codes_after_change_1h") >= 1)
        | (pl.col("forwarding_after_change_3d") >= 1)
        | ((pl.col("handset_after_change_3d") >= 1) & (pl.col("since_sim_change") <= _FIRST_HOURS))
    )
    signals = (
        Signal("handset_after_change_3d", 0, 1, 3.1),  # another handset within the hour
        Signal(
            "handsets_7d", 1, 0, 0.7
        ),  # where no record names handsets, none can be seen to have stayed the same
        Signal("away_km", 8, 40, 2.0, log=True),  # where the number never spends its nights
        Signal("codes_after_change_1h", 0, 2, 2.2),  # 6.6: OTP texts within 72 hours
        Signal("forwarding_after_change_3d", 0, 1, 1.6),  # 6.6: *21* and then the bank calls
        Signal("since_sim_change", _THREE_DAYS, 3 * 3_600, 1.0),
    )
    intercept = -5.3
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 0.5
    harm: ClassVar[dict[str, int]] = {"financial": 3, "psychological": 2}
    facts = ("sims_30d",)
    place = "home_force"
    seen = "seen_force"
    quiet_hours = 72
    misses = (
        "Swaps of numbers that get no code by text afterwards, and thieves who stay near the customer's home. "
        "Codes phished out of the customer need no swap at all and are seen in the accounts only."
    )
    innocent = (
        "Somebody lost a phone and set up a new one with a new SIM: in their own town, and nothing is forwarded.",
        "A new SIM on the way to a holiday or a job elsewhere: the handset stays the same.",
        "A number moved to another operator: the codes are the new operator's own.",
    )
    runbook = (
        "Ask the operator who asked for the change and how, and whether earlier attempts were turned down.",
        "Ring the customer on another number: do they know of the new SIM, and does their phone still work?",
        "Tell the bank of the number's accounts before anything is paid: new devices and payees since the change?",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A swap two hundred miles away; a phone lost and replaced; new SIMs in old phones, one of which travels."""
        return (
            Story(
                "the SIM goes to another town, then two codes come",
                _story("+447700900001", far=True, handset_after=4, codes=2),
                alerts_about=("number:+447700900001",),
            ),
            Story("a new SIM in the old phone, one code", _story("+447700900002", far=False, codes=1)),
            Story(
                "a new SIM in the old phone, two codes, and the phone travels with its owner",
                _story("+447700900004", far=True, codes=2),
            ),
            Story(
                "the SIM goes to another town where no record names handsets, then two codes come",
                _story("+447700900005", far=True, codes=2, named=False),
                alerts_about=("number:+447700900005",),
            ),
            Story(
                "a new SIM and four hours later a new phone, in the same town",
                _story("+447700900003", far=False, handset_after=240, codes=1),
            ),
        )


def _story(
    number: str, *, far: bool, codes: int, handset_after: int = 0, named: bool = True
) -> list[tuple[str, dict[str, Any]]]:
    """Ten days of ordinary life at home, then a new SIM, perhaps a new handset, perhaps elsewhere, and codes."""
    events: list[tuple[str, dict[str, Any]]] = []

    def add(at: datetime, kind: str, here: tuple[float, float], **more: Any) -> None:
        record = {
            "event_id": f"t{len(events)}", "ts": at.isoformat(), "source": "operator", "kind": kind,
            "number": number, "lat": here[0], "lon": here[1], "cell": f"00101-{int(here[0] * 100)}-1",
        }  # fmt: skip
        told = record | more
        events.append(("telecoms", {k: v for k, v in told.items() if named or "imei" not in k}))

    old = {"imsi": f"00101{number[-10:]}", "imei": f"0010{number[-10:]}0"}
    new = {"imsi": f"00101{number[-9:]}7", "imei": f"0011{number[-10:]}0"}
    for day in range(10):
        for hour in (12, 16):  # after eleven at night, and in the afternoon
            add(_START - timedelta(days=10 - day) + timedelta(hours=hour), "location", _HOME, **old)
    here = _FAR if far else _HOME
    handset = new["imei"] if handset_after else old["imei"]
    add(_START, "sim_change", here, imsi=new["imsi"], imei=old["imei"], previous_imsi=old["imsi"])
    if handset_after:
        add(
            _START + timedelta(minutes=handset_after), "device_change", here, imsi=new["imsi"], imei=handset,
            previous_imei=old["imei"],
        )  # fmt: skip
    for k in range(codes):
        add(
            _START + timedelta(hours=6, minutes=3 * k), "sms", here, imsi=new["imsi"], imei=handset,
            direction="mt", other_number="MYBANK", other_kind="alphanumeric",
        )  # fmt: skip
    return events
