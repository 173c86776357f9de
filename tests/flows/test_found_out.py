"""What a tick says was found out: labels with whom they name, and payments taken back because of fraud."""

import polars as pl

from events.codes import LABELS as LABEL_WORDS
from events.codes import STATUSES, SUBJECT_CATEGORIES, code_of
from events.ledger import Tick
from flows.found_out import found_out


def test_labels_and_recalls_come_in_the_one_order_with_whom_they_are_about() -> None:
    labels = pl.DataFrame(
        {
            "seq": [7], "ts": [5], "recorded_ts": [6], "event_id": ["l"], "source": ["s"], "basis": [""],
            "about_kind": ["event"], "about_id": ["e"], "subjects": ["account:" + 32 * "a"],
            "label": [code_of(LABEL_WORDS, "confirmed")], "subject_category": [code_of(SUBJECT_CATEGORIES, "suspect")],
        }
    )  # fmt: skip
    payments = pl.DataFrame(
        {
            "seq": [3, 4, 5], "ts": [1, 1, 1], "recorded_ts": [2, 2, 2], "event_id": ["p", "q", "r"],
            "source": ["s"] * 3, "basis": [""] * 3, "status": [code_of(STATUSES, w) for w in ("accepted", "recalled", "returned")],
            "status_reason": ["", "FRAD", "AC03"], "payer_account_hi": [1, 1, 1], "payer_account_lo": [1, 1, 1],
            "payee_account_hi": [2, 2, 2], "payee_account_lo": [2, 2, 2],
        }
    )  # fmt: skip
    told = found_out(Tick(0, 3, {"labels": labels, "payments": payments}))
    assert [(one.event_id, one.seq) for one in told] == [("q:payee", 4), ("q:payer", 4), ("l", 7)]
    assert [one.standing for one in told] == ["involved", "harmed", "involved"]
    assert told[0].about == f"account:{2:016x}{2:016x}"
    assert told[2].subjects == ("account:" + 32 * "a",)
    assert told[2].about == "event:e"
