"""A small made-up week for `linewatch demo --story`: ordinary people, one mule account and its victims, one deal line.

People have a past: the transfers of the four weeks before come first, so that payees are known and usual sums are
usual. It exists so that the demo shows something on any machine without set-up. It is a story, not a test bed: nothing is
measured on it. Every identifier is from a range reserved for examples, and the same seed gives the same files.
"""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

FIRST_DAY: Final = datetime(2025, 3, 3, tzinfo=UTC)
DAYS: Final = 7
PEOPLE: Final = 700
SEED: Final = 26
SOURCE: Final = "made-up"
BASIS: Final = "synthetic-demo"

Record = dict[str, Any]

TOWNS: Final = (
    ("E23000005", 53.48, -2.24),  # Manchester
    ("E23000004", 53.41, -2.98),  # Liverpool
    ("E23000024", 52.63, 1.30),  # Norwich
    ("E23000032", 51.28, 1.08),  # Canterbury
    ("E23000029", 51.45, -0.97),  # Reading
    ("E23000014", 52.48, -1.90),  # Birmingham
)
"""Force area, latitude and longitude of a few towns."""

AGES: Final = ("25-34", "35-49", "50-64", "35-49", "25-34")

WAKING: Final = (1, 1, 1, 1, 1, 2, 4, 8, 10, 10, 10, 11, 12, 11, 10, 10, 11, 12, 12, 11, 9, 7, 4, 2)
"""How busy each hour of the day is, by taste."""

MULE: Final = PEOPLE + 1
VICTIMS: Final = tuple(range(3, 300, 12))
"""Who pays for what does not exist: some of them twice, the next evening, when a fee is asked for."""
AGAIN: Final = VICTIMS[:2]
"""Those who pay twice."""
ONWARD: Final = range(PEOPLE + 2, PEOPLE + 5)
"""Who the mule passes the money on to."""
LANDLORDS: Final = range(PEOPLE + 10, PEOPLE + 40)
BEFORE: Final = 28
"""How many days of transfers come before the week."""
LINE_NUMBER: Final = "+447700900990"
CUSTOMERS: Final = range(500, 580)
"""The people who buy from the line: ordinary numbers with ordinary lives beside."""


def write(folder: Path) -> dict[str, Path]:
    """Write the week's payments and telecoms as NDJSON; gives the file of each stream."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(SEED)
    written = {}
    for stream, records in (("payments", _payments(chance)), ("telecoms", _telecoms(chance))):
        written[stream] = folder / f"{stream}.ndjson"
        _write(written[stream], stream, records)
    return written


def _write(path: Path, stream: str, records: Iterable[tuple[datetime, Record]]) -> None:
    encode = msgspec.json.Encoder().encode
    in_order = sorted(records, key=lambda each: each[0])
    with path.open("wb") as out:
        for number, (ts, record) in enumerate(in_order):
            common = {
                "event_id": f"{stream[0]}{number:07d}",
                "ts": _text(ts),
                "source": SOURCE,
                "basis": BASIS,
            }
            out.write(encode(common | record) + b"\n")


def _text(ts: datetime) -> str:
    return ts.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def account(person: int) -> str:
    """Somebody's account: a sort code that no bank has."""
    return f"0000{person % 90 + 10}-{10_000_000 + person * 37}"


def number(person: int) -> str:
    """Somebody's mobile number, from the range kept for drama."""
    return f"+447700900{person:03d}"


def _moment(chance: random.Random, day: int) -> datetime:
    hour = chance.choices(range(24), WAKING)[0]
    return FIRST_DAY + timedelta(days=day, hours=hour, seconds=chance.uniform(0, 3600))


# ------------------------------------------------------------------------------------------------------------ payments
def _payments(chance: random.Random) -> Iterator[tuple[datetime, Record]]:
    for person in range(PEOPLE):
        friends = [(person + chance.randrange(1, PEOPLE)) % PEOPLE for _ in range(4)]
        yield from _past(chance, person, friends)
        yield (
            FIRST_DAY + timedelta(days=person % DAYS, hours=6, seconds=chance.uniform(0, 900)),
            _payment("bacs", chance.randint(120_000, 320_000), None, person),
        )
        for day in range(DAYS):
            for _ in range(chance.choice((0, 1, 2, 3, 4))):
                yield _moment(chance, day), _purchase(chance, person)
            if chance.random() < 0.25:
                yield _moment(chance, day), _to_friend(chance, person, chance.choice(friends))
    yield from _mule(chance)


def _past(chance: random.Random, person: int, friends: list[int]) -> Iterator[tuple[datetime, Record]]:
    """The weeks before: the rent, and something to everybody whom this person pays."""
    rent = _payment("fps", chance.randrange(32_500, 87_500, 2_500), person, chance.choice(LANDLORDS))
    yield _moment(chance, -chance.randint(1, BEFORE)), rent | {"new_payee": False}
    for friend in friends:
        yield _moment(chance, -chance.randint(1, BEFORE)), _to_friend(chance, person, friend)


def _to_friend(chance: random.Random, person: int, friend: int) -> Record:
    amount = chance.choice((500, 1000, 1250, 2000, 2375, 4000, 6500))
    return _payment("fps", amount, person, friend) | {"new_payee": False}


def _purchase(chance: random.Random, person: int) -> Record:
    force, lat, lon = TOWNS[person % len(TOWNS)]
    return {
        "rail": "card",
        "amount_minor": chance.randint(150, 6000),
        "payer_account": account(person),
        "payer_force": force,
        "card": f"tok_{person:04d}",
        "merchant_id": f"m{chance.randrange(300):03d}",
        "terminal_id": f"t{chance.randrange(600):03d}",
        "mcc": chance.choice(("5411", "5814", "5912", "4111")),
        "entry_mode": "contactless",
        "channel": "pos",
        "lat": round(lat + chance.gauss(0, 0.02), 4),
        "lon": round(lon + chance.gauss(0, 0.02), 4),
    }


def _payment(rail: str, amount: int, payer: int | None, payee: int | None) -> Record:
    record: Record = {
        "rail": rail,
        "amount_minor": amount,
        "channel": "mobile_app" if payer is not None else "batch",
    }
    for role, person in (("payer", payer), ("payee", payee)):
        if person is None:
            continue
        record |= {
            f"{role}_account": account(person),
            f"{role}_force": TOWNS[person % len(TOWNS)][0],
            f"{role}_opened": "2025-02-24" if person == MULE else "2017-05-04",
            f"{role}_age_band": "18-20" if person == MULE else AGES[person % len(AGES)],
        }
    return record


def _mule(chance: random.Random) -> Iterator[tuple[datetime, Record]]:
    """A new account of a young person: on three evenings buyers of what does not exist pay in; within the hour it is gone.

    To each buyer it is a large sum to somebody new, whose name the bank says is another: most of them are told of too,
    as those whom to warn.
    """
    turns = iter((*VICTIMS[:9], *VICTIMS[9:16], *AGAIN, *VICTIMS[16:]))
    paid: set[tuple[int, int]] = set()
    for day in (2, 4, 5):
        at = FIRST_DAY + timedelta(days=day, hours=17)
        balance = 900
        for _ in range(9):
            at += timedelta(minutes=chance.uniform(6, 22))
            amount, buyer = chance.choice((29_000, 45_000, 49_900, 60_000, 85_000)), next(turns)
            balance += amount
            told: Record = {"payee_balance_minor": balance, "new_payee": (buyer, MULE) not in paid}
            paid_in = _payment("fps", amount, buyer, MULE)
            yield at, paid_in | told | {"cop": "no_match", "cop_overridden": True}
            paid.add((buyer, MULE))
            moved = at + timedelta(minutes=chance.uniform(3, 5))
            out = amount - chance.randint(500, 2_500)
            balance -= out
            if chance.random() < 0.3:
                notes = min(out, 50_000) // 1_000 * 1_000
                cash: Record = _payment("cash_withdrawal", notes, MULE, None)
                yield moved, cash | {"channel": "atm", "payer_balance_minor": balance}
            else:
                payee = chance.choice(ONWARD)
                onward = _payment("fps", out, MULE, payee)
                yield moved, onward | {"payer_balance_minor": balance, "new_payee": (MULE, payee) not in paid}
                paid.add((MULE, payee))


# ------------------------------------------------------------------------------------------------------------ telecoms
def _telecoms(chance: random.Random) -> Iterator[tuple[datetime, Record]]:
    for person in range(PEOPLE):
        friends = [chance.randrange(PEOPLE) for _ in range(9)]
        for day in range(DAYS):
            for _ in range(chance.choice((2, 4, 6, 8))):
                ts = _moment(chance, day)
                other = chance.choice(friends)
                kind = chance.choice(("call", "call", "sms", "data"))
                yield ts, _use(chance, kind, person, other)
    yield from _line(chance)


def _use(chance: random.Random, kind: str, person: int, other: int) -> Record:
    record = _device(number(person), person, TOWNS[person % len(TOWNS)], chance)
    if kind == "data":
        return record | {
            "kind": "data",
            "bytes_down": chance.randint(100_000, 90_000_000),
            "bytes_up": 40_000,
        }
    if kind == "sms":
        return record | {
            "kind": "sms",
            "direction": chance.choice(("mo", "mt")),
            "other_number": number(other),
        }
    answered = chance.random() < 0.8
    return record | {
        "kind": "call",
        "direction": chance.choice(("mo", "mt")),
        "other_number": number(other),
        "other_kind": "msisdn",
        "answered": answered,
        "duration_s": chance.randint(20, 1500) if answered else 0,
    }


def _device(msisdn: str, person: int, town: tuple[str, float, float], chance: random.Random) -> Record:
    force, lat, lon = town
    return {
        "number": msisdn,
        "imsi": f"00101{person:010d}",
        "imei": _imei(person),
        "cell": f"001-01-{person % len(TOWNS)}-{chance.randrange(8)}",
        "lat": round(lat + chance.gauss(0, 0.02), 4),
        "lon": round(lon + chance.gauss(0, 0.02), 4),
        "force": force,
        "prepaid": person % 4 == 0,
        "sim_activated": "2023-02-01",
    }


def _imei(person: int) -> str:
    body = f"00100000{person:06d}"
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(body)]
    return f"{body}{-sum(value - 9 if value > 9 else value for value in doubled) % 10}"


def _line(chance: random.Random) -> Iterator[tuple[datetime, Record]]:
    """A new prepaid handset without data: it texts the same list several times a day, and short calls come back."""
    town = TOWNS[2]
    own: Record = {"prepaid": True, "sim_activated": "2025-02-27"}
    for day in range(1, DAYS):
        for hour in (11, 15, 19, 22):
            at = FIRST_DAY + timedelta(days=day, hours=hour, minutes=chance.uniform(0, 20))
            called = chance.sample(CUSTOMERS, 62)
            for customer in called:
                at += timedelta(seconds=chance.uniform(1.5, 5))
                text = {
                    "kind": "sms",
                    "direction": "mo",
                    "other_number": number(customer),
                    "other_kind": "msisdn",
                }
                yield at, _device(LINE_NUMBER, 990, town, chance) | own | text
            for customer in chance.sample(called, 24):
                back = at + timedelta(minutes=chance.uniform(1, 35))
                call = {
                    "kind": "call",
                    "direction": "mt",
                    "other_number": number(customer),
                    "other_kind": "msisdn",
                    "answered": True,
                    "duration_s": chance.randint(8, 45),
                }
                yield back, _device(LINE_NUMBER, 990, town, chance) | own | call
