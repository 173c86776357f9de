"""Where an alert goes: owner, copies, escalation, safeguarding and referrals out. Pure functions.

The rules are those of `docs/routing.md`. No organisation is named here: the directory of the day says who holds
which duty and which campus a force belongs to, so a merger or a new name is a change of data.
"""

from collections.abc import Iterable
from typing import Final

from alerts.record import Copy, Fire, Owner, ReferralOut, Routing, Safeguarding
from places.forces import force
from places.organisations import Directory, Organisation

ESCALATE_REGIONS: Final = 3
"""From so many active regions on, the national centre is told."""
ESCALATING: Final = {
    "mapped_group": "tied to a nationally mapped organised crime group",
    "importation": "signs of importation",
    "firearms": "signs of firearms",
}
MASH: Final = "mash:"
"""Prefix of a local multi-agency safeguarding hub, named after the force area it lies in."""
SUPPLIER: Final = "supplier:"
"""Prefix of the bank or operator a record came from, named after its feed."""
NOBODY: Final = Organisation(org_id="unplaced", kind="NATIONAL", name="No national desk is on duty")
"""Stands in when the organisations of the day name no national desk, so that no alert is without an owner."""


def route(fire: Fire, directory: Directory) -> Routing:
    """Who owns it, who else is told and why, with the organisations as they stand that day."""
    owner = owner_of(fire, directory)
    regions = regions_of(fire, directory)
    return Routing(
        owner=owner,
        copies=copies_of(fire, directory, owner, regions),
        escalation=escalation_of(fire, directory, regions),
        referrals_out=referrals_of(fire, directory),
        safeguarding=safeguarding_of(fire, directory),
        victim_care=_victim_care(fire, directory),
        regions=regions,
    )


def owner_of(fire: Fire, directory: Directory) -> Owner:
    """The campus whose work it is.

    County lines: where the holder is, because closing a line needs the holder charged. Fraud: where the mule or
    suspect holds the account. Telecoms fraud: where the equipment is, else the national desk for it. Unknown: the
    largest share of activity, provisionally. What cannot be placed goes to the national desk, flagged.
    """
    if campus := directory.campus_of(fire.home_force):
        return Owner(org_id=campus.org_id, name=campus.name, why=_HOME_WHY.get(fire.threat, _HOME_WHY_ELSE))
    if found := _busiest(fire, directory):
        campus, why = found
        return Owner(org_id=campus.org_id, name=campus.name, why=why, provisional=True)
    if fire.threat == "telecoms_fraud" and (desk := directory.on_duty("telecoms_fraud")):
        return Owner(org_id=desk.org_id, name=desk.name, why="no place known for the equipment")
    if fire.threat == "fraud" and (campus := directory.campus_of(fire.victim_force)):
        why = "nothing known of the suspect; the victim lives in its area"
        return Owner(org_id=campus.org_id, name=campus.name, why=why, provisional=True)
    desk = directory.on_duty("national_desk") or NOBODY
    if _outside(fire, directory):
        return Owner(org_id=desk.org_id, name=desk.name, why="outside the area served: referral only")
    why = "no force known for it: to be placed by hand"
    return Owner(org_id=desk.org_id, name=desk.name, why=why, provisional=True, unplaced=True)


def regions_of(fire: Fire, directory: Directory) -> tuple[str, ...]:
    """The campuses (and services outside) in whose areas it is active, in the order of their ids."""
    found = set()
    for code in _active(fire):
        org = directory.campus_of(code) or directory.police_of(code)
        if org is not None:
            found.add(org.org_id)
    return tuple(sorted(found))


def copies_of(fire: Fire, directory: Directory, owner: Owner, regions: Iterable[str]) -> tuple[Copy, ...]:
    """Who else is told: campuses with activity, both forces near a border, and the desks of the threat."""
    told: dict[str, str] = {}

    def tell(org: Organisation | None, why: str) -> None:
        if org is not None and org.org_id != owner.org_id:
            told.setdefault(org.org_id, why)

    for code, _ in fire.active_forces:
        tell(directory.campus_of(code), "active in its area")
    if len(fire.near_forces) > 1:
        for code in fire.near_forces:
            tell(directory.campus_of(code), "within 1 km of a border of its area")
            if _served(code):
                tell(directory.police_of(code), "within 1 km of a border of its area")
    if fire.threat == "county_lines":
        tell(directory.on_duty("county_lines"), "every county-lines alert")
    if fire.rail:
        tell(directory.on_duty("rail"), "a leg by rail")
    if fire.threat in ("fraud", "telecoms_fraud"):
        tell(directory.on_duty("fraud"), "every fraud alert")
    if "money_laundering" in fire.indicators and len(tuple(regions)) > 1:
        tell(directory.on_duty("laundering"), "money laundering in more than one region")
    if "card_group" in fire.indicators:
        tell(directory.on_duty("cards"), "an organised group at work on cards or payments")
    if fire.four_p == "protect":
        told.setdefault(SUPPLIER + fire.source, "to protect its customers")
    return tuple(Copy(org_id, why) for org_id, why in told.items())


def escalation_of(fire: Fire, directory: Directory, regions: Iterable[str]) -> Copy | None:
    """Whether the national centre is told, and why."""
    active = len(tuple(regions))
    why = [f"active in {active} regions"] if active >= ESCALATE_REGIONS else []
    why += [words for name, words in ESCALATING.items() if name in fire.indicators]
    desk = directory.on_duty("escalation")
    return Copy(desk.org_id, "; ".join(why)) if why and desk else None


def safeguarding_of(fire: Fire, directory: Directory) -> Safeguarding:
    """Who is told that someone may need protection: whatever else is decided, and not waiting for it."""
    why = tuple(
        words
        for said, words in (
            (fire.minor, "a child may be involved"),
            (fire.vulnerable, "signs of vulnerability"),
        )
        if said
    )
    if not why:
        return Safeguarding()
    told: dict[str, str] = {}
    here = fire.current_force or _largest(fire)
    for code, words in ((here, "where the person is now"), (fire.home_force, "where the person lives")):
        police = directory.police_of(code)
        area = force(code)
        if police is None or area is None:
            continue
        told.setdefault(police.org_id, words)
        told.setdefault(MASH + area.short, f"local authorities {words}")
    if not told:
        desk = directory.on_duty("national_desk") or NOBODY
        told[desk.org_id] = "no place known for the person: to be placed by hand at once"
    return Safeguarding(needed=True, why=why, copies=tuple(Copy(*copy) for copy in told.items()))


def referrals_of(fire: Fire, directory: Directory) -> tuple[ReferralOut, ...]:
    """The services outside the area served that are to be handed a record, and through whom."""
    found: dict[str, ReferralOut] = {}
    for code in (*_active(fire), *fire.near_forces):
        org = directory.police_of(code)
        if org is not None and "outside" in org.duties:
            via = tuple(up.org_id for up in directory.above(org))
            why = "the holder is in its area" if code == fire.home_force else "active in its area"
            found.setdefault(org.org_id, ReferralOut(org.org_id, via, why))
    return tuple(found.values())


_HOME_WHY: Final = {
    "county_lines": "the line's holder is in its area",
    "fraud": "the account's holder is in its area",
    "telecoms_fraud": "the equipment is in its area",
}
_HOME_WHY_ELSE: Final = "the subject is in its area"


def _busiest(fire: Fire, directory: Directory) -> tuple[Organisation, str] | None:
    """The campus with the largest share of the activity; of equal ones that with the lower force code."""
    shares: dict[str, float] = {}
    campuses: dict[str, Organisation] = {}
    for code, weight in sorted(fire.active_forces):
        campus = directory.campus_of(code)
        if campus is not None:
            campuses[campus.org_id] = campus
            shares[campus.org_id] = shares.get(campus.org_id, 0.0) + weight
    if shares:
        busiest = max(shares, key=lambda org_id: shares[org_id])
        return campuses[busiest], "holder not known; the largest share of its activity is there"
    for code in fire.near_forces:
        if campus := directory.campus_of(code):
            return campus, "holder not known; the event was there"
    return None


def _active(fire: Fire) -> list[int]:
    """The forces that count as active, the home force first."""
    active = [code for code, weight in fire.active_forces if weight > 0]
    return list(dict.fromkeys(code for code in (fire.home_force, *active) if code))


def _largest(fire: Fire) -> int:
    return max(sorted(fire.active_forces), key=lambda active: active[1], default=(0, 0.0))[0]


def _outside(fire: Fire, directory: Directory) -> bool:
    orgs = [directory.police_of(code) for code in (*_active(fire), *fire.near_forces)]
    return bool(orgs) and all(org is not None and "outside" in org.duties for org in orgs)


def _served(code: int) -> bool:
    known = force(code)
    return known is not None and known.served


def _victim_care(fire: Fire, directory: Directory) -> Copy | None:
    police = directory.police_of(fire.victim_force)
    if police is None or fire.threat not in ("fraud", "telecoms_fraud"):
        return None
    return Copy(police.org_id, "the victim lives in its area")
