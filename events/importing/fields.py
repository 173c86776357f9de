"""The contract's fields as an import map sees them: for each stream, what kind of value each field takes.

Nothing is described here a second time: names, words and bounds are those of `events.contract`.
"""

from dataclasses import dataclass
from typing import Final, Literal

from events import contract
from events.codes import Words

Kind = Literal[
    "text", "id", "word", "minor", "signed_minor", "whole", "real", "yes_no", "time", "day", "number", "any_number",
    "list",
]  # fmt: skip

_KINDS: Final[dict[type[contract.Rule], Kind]] = {
    contract.Word: "word",
    contract.Number: "real",
    contract.Flag: "yes_no",
    contract.Time: "time",
    contract.Date: "day",
}
_OWN_NUMBERS: Final = ("number", "payer_phone", "payee_phone")
"""Fields that hold a subscriber's number; in the other fields for numbers a short code or a name may stand."""


@dataclass(frozen=True, slots=True)
class ContractField:
    """One field of a stream: the kind of its value, and the contract's rule for it."""

    kind: Kind
    rule: contract.Rule

    @property
    def words(self) -> Words:
        """The field's closed list of words, where it has one."""
        return self.rule.words if isinstance(self.rule, contract.Word) else ()


TEXT: Final = ContractField("text", contract.Text())
"""A field of the supplier's own, for `ext`."""

CURRENCY: Final = ContractField("text", contract.Currency())


def _kind(name: str, rule: contract.Rule) -> Kind | None:
    if name == "event_id":
        return "id"
    if isinstance(rule, contract.Whole):
        if name.startswith("bytes"):
            return "whole"
        return "signed_minor" if rule.low < 0 else "minor"
    if isinstance(rule, contract.Identifier) and rule.kind == "number":
        return "number" if name in _OWN_NUMBERS else "any_number"
    if isinstance(rule, contract.Ignored | contract.Mentions):
        return "list" if rule.json == "list" else None
    return _KINDS.get(type(rule), "text")


def _fields(stream: str) -> dict[str, ContractField]:
    found = {}
    for each in contract.fields(stream):
        kind = _kind(each.name, each.rule)
        if kind is not None:
            found[each.name] = ContractField(kind, each.rule)
    return found


FIELDS: Final[dict[str, dict[str, ContractField]]] = {
    stream: _fields(stream) for stream in contract.RECORDS if stream != "control"
}
"""What a map may fill, stream by stream. `control` is not among them: those records are made by people here."""

REQUIRED: Final[dict[str, tuple[str, ...]]] = contract.REQUIRED | {
    "payments": (*contract.REQUIRED["payments"], "rail", "amount_minor")
}
"""What a record must carry. A notice about a payment needs less: `NOTICE_REQUIRED`."""

NOTICES: Final = ("rejected", "returned", "recalled")
"""Statuses that are told by a record of their own."""

NOTICE_REQUIRED: Final = (*contract.REQUIRED["payments"], "payment_id")

ONE_OF: Final[dict[str, tuple[str, str]]] = {"payments": ("payer_account", "payee_account")}
"""Fields of which a record must carry at least one."""

CONTENT: Final = contract.CONTENT_FIELDS
"""Fields that would carry what people said: never imported, not even into `ext`."""
