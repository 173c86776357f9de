"""Ids that are the same whenever the same thing is found again: alerts and cases."""

from hashlib import blake2b
from typing import Final

from alerts.record import Subject

DIGEST_BYTES: Final = 16
"""128 bits: no two alerts meet by accident at any volume there will ever be."""


def alert_id(detector: str, subject: Subject, first_event_id: str, source: str = "") -> str:
    """The id of the alert a detector raises about a subject on the first event that fired."""
    return _digest("alert", detector, subject.kind, subject.token, source, first_event_id)


def case_key(subject: Subject) -> str:
    """The key of the case a subject opens: one for a deal line or a mule account, whichever detector found it."""
    return "C" + _digest("case", subject.kind, subject.token)[:20]


def _digest(*parts: str) -> str:
    # Each part is led by its length, so that no two lists of parts are spelt alike.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return blake2b(text.encode(), digest_size=DIGEST_BYTES, person=b"linewatch").hexdigest()
