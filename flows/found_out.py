"""What a tick says was found out: its labels, and payments called back or sent back because of fraud (reason FRAD).

A request to cancel (camt.056) or a return (pacs.004) names a payment, and the door remembers whose it was: it is a
word about the account that was paid, and one about the account that was harmed.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from alerts.record import token_text
from events.codes import LABEL_ORIGINS, LABEL_ROLES, STATUSES, SUBJECT_CATEGORIES, code_of, word_of
from events.codes import LABELS as LABEL_WORDS
from events.frames import column
from events.ledger import Tick
from features.rows import Entity, Kind, Rows
from models.labels import PAYEE, PAYER, Label

FRAUD_REASONS: Final = ("FRAD",)
"""ISO 20022 reasons that say fraud; FOCR (following a request to cancel) only says that somebody asked."""
_TAKEN_BACK: Final = [code_of(STATUSES, word) for word in ("returned", "recalled")]
_COLUMNS: Final = (
    "seq", "event_id", "recorded_ts", "label", "origin", "typology", "reason_code", "by", "subjects", "role",
    "subject_category", "about_kind", "about_id", "about_hi", "about_lo",
)  # fmt: skip


def found_out(tick: Tick) -> list[Label]:
    """All that a tick says was found out, in the one order."""
    labels, payments = tick.rows.get("labels"), tick.rows.get("payments")
    found = [] if labels is None else labels_in(labels)
    found += [] if payments is None else recalls_in(payments)
    return sorted(found, key=lambda label: (label.seq, label.event_id))


def labels_in(frame: pl.DataFrame) -> list[Label]:
    """The labels of a tick's frame."""
    rows = pl.DataFrame([column(frame, "labels", name).alias(name) for name in _COLUMNS]).iter_rows(
        named=True
    )
    return [
        Label(
            event_id=row["event_id"],
            about=f"{row['about_kind']}:{row['about_id'] or token_text(row['about_hi'], row['about_lo'])}",
            label=word_of(LABEL_WORDS, row["label"]) or "unclear",
            at=row["recorded_ts"],
            origin=word_of(LABEL_ORIGINS, row["origin"]) or "analyst",
            typology=row["typology"],
            reason_code=row["reason_code"],
            by=row["by"],
            subjects=tuple(row["subjects"].split()),
            role=word_of(LABEL_ROLES, row["role"]) or "",
            category=word_of(SUBJECT_CATEGORIES, row["subject_category"]) or "",
            seq=row["seq"],
        )
        for row in rows
    ]


def recalls_in(frame: pl.DataFrame) -> list[Label]:
    """What payments say that were called back or sent back because of fraud."""
    if "status_reason" not in frame.columns:
        return []
    said = frame.filter(
        pl.col("status_reason").is_in(FRAUD_REASONS) & column(frame, "payments", "status").is_in(_TAKEN_BACK)
    )
    names = ("seq", "event_id", "recorded_ts", "status_reason")
    found = []
    for side, role, category in ((PAYEE, "", "suspect"), (PAYER, "victim", "victim")):
        tokens = [column(said, "payments", f"{side}_account_{half}") for half in ("hi", "lo")]
        for (seq, event_id, at, reason), hi, lo in zip(said.select(names).iter_rows(), *tokens, strict=True):
            if not (hi or lo):
                continue  # its payment is no longer remembered, or the other bank's account is not known
            about = f"account:{token_text(hi, lo)}"
            found.append(
                Label(
                    event_id=f"{event_id}:{side}",
                    about=about,
                    label="confirmed",
                    at=at,
                    origin="recall",
                    typology="app_fraud",
                    reason_code=reason,
                    subjects=(about,),
                    role=role,
                    category=category,
                    seq=seq,
                )
            )
    return found


def sides_of(rows: Rows, entity: Entity) -> list[str]:
    """On which side of a payment the subjects of rows stand; nothing for what is no payment."""
    if entity == Entity.NUMBER:
        return [""] * len(rows)
    side: npt.NDArray[np.uint8] = rows["side"]
    names = (PAYER, PAYEE) if entity == Entity.ACCOUNT else (PAYER, PAYER)
    if entity not in (Entity.ACCOUNT, Entity.CARD, Entity.DEVICE):
        return [""] * len(rows)
    paid = rows["kind"] <= Kind.WALLET
    return [names[int(s)] if p else "" for s, p in zip(side, paid, strict=True)]
