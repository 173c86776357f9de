"""Ordinary life: the mechanisms that go on in every world, whatever else does."""

from simulator.calling import Calls
from simulator.diary import Mechanism
from simulator.income import Debits, Orders, Pay
from simulator.mobile import Locations, PhoneLife, Sessions, TopUps
from simulator.spending import CardPayments, Cash
from simulator.texting import Texts
from simulator.transfers import AccountLife, Bills, FriendPayments, OwnTransfers


def ordinary_life() -> list[Mechanism]:
    """What everybody does, in the order in which a day is told.

    Phones change hands first, so that the day's records carry the new SIM.
    """
    return [
        PhoneLife(), Calls(), Texts(), Sessions(), Locations(), TopUps(), Pay(), Debits(), Orders(), FriendPayments(),
        OwnTransfers(), Bills(), CardPayments(), Cash(), AccountLife(),
    ]  # fmt: skip
