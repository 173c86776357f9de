"""The device or handset beside an alert: alerts that share one belong together, unless it is everybody's.

A branch's tablet or the gateway of an interface is in the records of very many accounts, a tampered handset number in
those of very many SIMs. Such a thing is not named at all, so that it ties nobody, however few have alerted yet.
"""

from typing import Final

from alerts.record import Subject
from features.rows import Entity
from flows.standing import Fired

THINGS: Final = {Entity.ACCOUNT: "device", Entity.NUMBER: "handset"}
"""What may be named beside an account or a number."""
USERS: Final = {Entity.ACCOUNT: "device.accounts_30d", Entity.NUMBER: "handset.sims_30d"}
"""The column that says how many use it."""
MOST: Final = 8
"""What more use in a month is nobody's own: a large household has fewer, a branch more on its first day."""


def thing_beside(entity: Entity, row: Fired, users: float) -> tuple[Subject, ...]:
    """The device or handset of a row as something to name beside its subject; nothing when too many use it."""
    if entity not in THINGS or not (row.device_hi or row.device_lo) or not users <= MOST:
        return ()
    return (Subject.of(THINGS[entity], row.device_hi, row.device_lo),)
