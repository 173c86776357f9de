"""How an alert may be handled: security marking, 3x5x2 grade and conditions.

The record (a payment, a call) and the inference drawn from it are graded apart: the first is known directly to the
source, the second is a machine's assessment and stays "not known" until a second, independent kind of evidence
agrees and a person has said so. A grade is never raised by itself.
"""

from typing import Final

import msgspec

from alerts.record import Alert, Fire, Handling

MARKINGS: Final = {"synthetic": "OFFICIAL", "live": "OFFICIAL-SENSITIVE"}
INSTRUCTIONS: Final = {
    "synthetic": "Made-up data: may be shown in demonstrations and tests.",
    "live": "Need to know only. Not to be acted on without review by a named officer; consult the originator first.",
}
RECORD_GRADE: Final = "A"
"""Known directly to the source: the supplier's own record of what happened."""
INFERENCE_GRADE: Final = "D"
"""Not known: a machine's assessment."""
REVIEWED_GRADE: Final = "B"
"""Known indirectly but corroborated: a second modality and a person agree."""
HANDLING_CODE: Final = "C"
"""Lawful sharing permitted with conditions."""
CONDITIONS: Final = ("A1", "S2")
"""Covert development; consult the originator."""


def handling(fire: Fire) -> Handling:
    """The handling of an alert as the machine raises it."""
    # What is not said to be made up is handled as live.
    kind = "synthetic" if fire.data_class == "synthetic" else "live"
    source = "1" if fire.supplier_proven else "2"
    return Handling(
        marking=MARKINGS[kind],
        instruction=INSTRUCTIONS[kind],
        grade=f"{source} {INFERENCE_GRADE} {HANDLING_CODE}",
        source_grade=source,
        record_grade=RECORD_GRADE,
        inference_grade=INFERENCE_GRADE,
        handling_code=HANDLING_CODE,
        conditions=CONDITIONS,
    )


def reviewed(alert: Alert) -> Handling:
    """The handling of an alert a person has confirmed: graded up only when another kind of evidence agrees too."""
    independent = any(other.partition(":")[0] != alert.stream for other in alert.corroborated_by)
    if alert.outcome != "confirmed" or not independent:
        return alert.handling
    grade = f"{alert.handling.source_grade} {REVIEWED_GRADE} {alert.handling.handling_code}"
    return msgspec.structs.replace(alert.handling, inference_grade=REVIEWED_GRADE, grade=grade)
