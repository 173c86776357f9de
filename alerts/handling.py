"""How an alert may be handled: security marking, 3x5x2 grade and conditions.

The record (a payment, a call) and the inference drawn from it are graded apart: the first is known directly to the
source, the second is a machine's assessment and stays "not known" until a second, independent kind of evidence
agrees and a person has said so. A grade is never raised by itself.
"""

from typing import Final

from alerts.record import Fire, Handling

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


def handling(fire: Fire, confirmed: bool = False) -> Handling:
    """The handling of an alert; `confirmed` when a person has confirmed it."""
    source = "1" if fire.supplier_proven else "2"
    inference = REVIEWED_GRADE if confirmed and fire.corroborated_by else INFERENCE_GRADE
    return Handling(
        marking=MARKINGS[fire.data_class],
        instruction=INSTRUCTIONS[fire.data_class],
        grade=f"{source} {inference} {HANDLING_CODE}",
        source_grade=source,
        record_grade=RECORD_GRADE,
        inference_grade=inference,
        handling_code=HANDLING_CODE,
        conditions=CONDITIONS,
    )
