"""Typologies as labels name them: which belong together, and after how many days silence counts.

A **family** is what one label may teach about: that a payment was a scam says that whoever was paid collects stolen
money, and nothing of a number that texts. The **horizon** is by when most reports of a kind have come; until then
nothing is made of silence. Suppliers have names of their own: a name that is not in the table is taken for the one it
begins with, and of a name that begins with none nothing is supposed.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

_DAY_US: Final = 86_400_000_000
LONGEST_DAYS: Final = 180
"""The horizon of what is not known here: as long as the longest."""


class Typology(NamedTuple):
    """What one typology belongs to, and after how many days silence counts, with the reason."""

    family: str
    days: int
    why: str


_APP = "reports of purchase scams come after a median of 10 days, of impersonation within days: 9 in 10 within 30"
_SERIES = "victims of investment scams report after a median of 90 days, romance lasts up to 180"
_TAKEN = "a customer who cannot get in notices within days [assumed: a fortnight has nearly all]"
_CARD = "cardholders report after a median of 20 days: three in four within 35"
_MULE = "an account is named when those who paid in report, half of them after 10 days; 30 has most"
_LINE = "lines last for a median of 90 days, and come to light when they end"
_BILL = "until the first bill is not paid: a month, and a fortnight to chase it [assumed]"
_TRAFFIC = "operators find it in traffic records within days; complaints take weeks [assumed]"

TYPOLOGIES: Final[Mapping[str, Typology]] = {
    "app_fraud": Typology("payment", 30, _APP),
    "app_": Typology("payment", 30, _APP),
    "app_series": Typology("payment", 180, _SERIES),
    "app_investment": Typology("payment", 180, _SERIES),
    "app_romance": Typology("payment", 180, _SERIES),
    "call_during_payment": Typology("payment", 30, _APP),
    "account_takeover": Typology("payment", 14, _TAKEN),
    "takeover": Typology("payment", 14, _TAKEN),
    "sim_swap_takeover": Typology("payment", 14, _TAKEN),
    "mule": Typology("payment", 30, _MULE),
    "mule_network": Typology("payment", 30, _MULE),
    "card_not_present": Typology("card", 35, _CARD),
    "card_testing": Typology("card", 35, _CARD),
    "card_": Typology("card", 35, _CARD),
    "deal_line": Typology("line", 90, _LINE),
    "line_handset": Typology("line", 90, _LINE),
    "line_money": Typology("line", 90, _LINE),
    "line_and_money": Typology("line", 90, _LINE),
    "line_reemergence": Typology("line", 90, _LINE),
    "line": Typology("line", 90, _LINE),
    "county_line": Typology("line", 90, _LINE),
    "external_line": Typology("line", 90, _LINE),
    "internal_line": Typology("line", 90, _LINE),
    "cuckooing": Typology("line", 90, _LINE),
    "courier": Typology("line", 90, _LINE),
    "missing_child": Typology("line", 90, _LINE),
    "cli_spoofing": Typology("cli_spoofing", 30, _TRAFFIC),
    "revenue_share": Typology("revenue_share", 30, _TRAFFIC),
    "sim_box": Typology("sim_box", 30, _TRAFFIC),
    "smishing_farm": Typology("smishing", 30, _TRAFFIC),
    "smishing": Typology("smishing", 30, _TRAFFIC),
    "subscription_fraud": Typology("subscription_fraud", 45, _BILL),
    "wangiri": Typology("wangiri", 30, _TRAFFIC),
}


def typology_of(name: str) -> Typology | None:
    """What is known of a typology by its name, or by the longest name it begins with."""
    exact = TYPOLOGIES.get(name)
    if exact is not None or not name:
        return exact
    longest = max((each for each in TYPOLOGIES if name.startswith(each)), key=len, default="")
    return TYPOLOGIES.get(longest)


def horizon_us(name: str) -> int:
    """After which time silence counts as innocence."""
    known = typology_of(name)
    return (LONGEST_DAYS if known is None else known.days) * _DAY_US


def speaks_of(said: str, looked_for: str) -> bool:
    """Whether a word about one typology says anything to who looks for another; a word that names none says it to all."""
    one, other = typology_of(said), typology_of(looked_for)
    return one is None or other is None or one.family == other.family
