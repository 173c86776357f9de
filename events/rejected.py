"""What was refused at the door, and why: one record per refused input record, never a stop and never silence.

The reasons are a closed list, so that they can be counted, shown and alerted on; the detail names the field by its
JSON path. The refused record itself is kept only where its lawful basis allows it; its SHA-256 digest always is,
so that a supplier can find the record without our holding it.
"""

import hashlib
from typing import Final

import msgspec

REASONS: Final[dict[str, str]] = {
    "too_long": "the line is longer than the setting allows; it was not read",
    "invalid_utf8": "the line is not valid UTF-8",
    "not_json": "the line is not a JSON value, or is nested too deeply",
    "not_an_object": "the line is JSON but not an object",
    "duplicate_field": "a field of the contract is there twice, so it is not known which holds",
    "missing_field": "a required field is missing, null or empty",
    "wrong_type": "a field holds a value of another type than the contract says",
    "unknown_word": "a field with a closed list of words holds another word",
    "out_of_bounds": "a number is below or above what the field may hold, or a text is too long",
    "bad_format": "a text does not have the form the field asks for",
    "bad_time": "a time or date is not RFC 3339",
    "no_offset": "a time has no offset from UTC, so the instant is not known",
    "too_early": "a time lies before the earliest the door takes",
    "too_late": "a time lies after the latest the door takes",
    "after_recorded": "the event is said to have happened after the supplier had the record",
    "unknown_currency": "the currency is not an ISO 4217 code",
    "content": "the record carries the content of a communication",
    "pan": "the card reference looks like a card number",
}
"""Why a record may be refused; nothing is refused for any other reason."""

DROPPED: Final[dict[str, str]] = {
    "no_lawful_basis": "no lawful basis covers the record",
    "expired": "the lawful basis the record names had expired",
}
"""Why a sound record may be dropped and counted without a dead letter: we may not hold even that."""


class Where(msgspec.Struct, frozen=True):
    """Where a record came from: the input's name and the place in it (byte offset or row number)."""

    input: str = ""
    offset: int = 0

    def at(self, place: int) -> "Where":
        """The same input, `place` further on."""
        return Where(self.input, self.offset + place)


class Rejected(msgspec.Struct, frozen=True):
    """One refused record: a dead letter."""

    source: str
    stream: str
    reason: str
    detail: str
    digest: str
    where: Where
    raw: bytes | None = None


def digest_of(raw: bytes) -> str:
    """The SHA-256 of a refused record's bytes, in hex."""
    return hashlib.sha256(raw).hexdigest()
