"""What an identifier says about itself before it becomes a token: a number's class and country, a SIM's network.

A token tells nobody apart from anybody; detectors need a little more, and the door keeps just that: whether a number
is a mobile, a landline, a sender's name; its country; the block of 10,000 it lies in; the SIM's home network; the
handset's type. The rules below are applied to whole columns in compiled loops; `number_form` says the same
in plain Python and is what the loops are tested against.

How a number is written the one way (E.164): spaces, dashes, dots, slashes and brackets are dropped; `+` and `00` lead
an international number; a leading 0 is the United Kingdom's trunk prefix; `+44 (0)` loses its 0; up to 8 bare digits
are a short code; 10 digits from 7 are a UK mobile that lost its 0; other bare digits are an international number
without its +, as network records write them. UK classes follow Ofcom's National Telephone Numbering Plan.
"""

import ipaddress
import re
from functools import cache
from typing import Any, Final

import numpy as np
import phonenumbers
from numpy.typing import NDArray
from phonenumbers import PhoneNumberType

from events.codes import NUMBER_CLASSES, code_of
from events.kernels import njit

UNITED_KINGDOM: Final = 44
TEST_COUNTRY: Final = 999
"""Calling code 999 is unassigned: made-up data uses it."""
TEST_NATIONAL_DIGITS: Final = 10
"""A made-up number with as many digits after 999 as British numbers have after 44, or whose first one is a 0, stands
for a British mobile; any other for a number abroad. Without that, made-up data could not tell abroad from here."""

MOBILE: Final = code_of(NUMBER_CLASSES, "mobile")
GEOGRAPHIC: Final = code_of(NUMBER_CLASSES, "geographic")
NON_GEOGRAPHIC: Final = code_of(NUMBER_CLASSES, "non_geographic")
FREEPHONE: Final = code_of(NUMBER_CLASSES, "freephone")
PREMIUM: Final = code_of(NUMBER_CLASSES, "premium")
SHORT_CODE: Final = code_of(NUMBER_CLASSES, "short_code")
ALPHANUMERIC: Final = code_of(NUMBER_CLASSES, "alphanumeric")
WITHHELD: Final = code_of(NUMBER_CLASSES, "withheld")
INTERNATIONAL: Final = code_of(NUMBER_CLASSES, "international")
TEST: Final = code_of(NUMBER_CLASSES, "test")
INVALID: Final = code_of(NUMBER_CLASSES, "invalid")
ODD: Final = 255
"""A UK number of unusual length: `phonenumbers` is asked, once for each distinct value."""

LONGEST_SENDER: Final = 11
"""Characters in an alphanumeric sender (GSM 03.38 packed into 3GPP TS 23.040's address field)."""
LONGEST_SHORT_CODE: Final = 8
SHORTEST_SHORT_CODE: Final = 3
E164_LONGEST: Final = 15
E164_SHORTEST: Final = 7
BLOCK_DIGITS: Final = 4
"""Digits dropped for the prefix: Ofcom hands out numbers in blocks of 10,000."""

WITHHELD_WORDS: Final = ("WITHHELD", "ANONYMOUS", "PRIVATE", "UNKNOWN", "UNAVAILABLE", "RESTRICTED")

COUNTRIES: Final[NDArray[np.bool_]] = np.zeros(1000, np.bool_)
COUNTRIES[[code for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE if code < 1000]] = True
COUNTRIES[TEST_COUNTRY] = True

THREE_DIGIT_MNC: Final[NDArray[np.bool_]] = np.zeros(1000, np.bool_)
THREE_DIGIT_MNC[
    [302, *range(310, 317), 334, 338, 342, 344, 346, 348, 352, 354, 356, 358, 360, 365, 366, 376]
] = True
THREE_DIGIT_MNC[[405, 708, 714, 722, 732, 738, 748, 750]] = True
"""Country codes whose networks have three digits (ITU-T E.212 assignments, North America's plan and a few more)."""

_WITHHELD: Final = np.frombuffer(b"".join(w.encode().ljust(16, b"\0") for w in WITHHELD_WORDS), np.uint8)
_PUNCTUATION: Final[NDArray[np.bool_]] = np.zeros(256, np.bool_)
_PUNCTUATION[list(b" -.()/")] = True


@njit(cache=True, nogil=True)
def uk_class(digits: Any, at: int, length: int) -> int:
    """The class of a UK number from its national digits (no trunk 0)."""
    first = digits[at] - 48
    second = digits[at + 1] - 48
    if length != 10:
        return ODD
    if first in (1, 2):
        return GEOGRAPHIC
    if first in (3, 5):
        return NON_GEOGRAPHIC
    if first == 7:
        if second == 0:
            return NON_GEOGRAPHIC  # personal numbers
        if second == 6 and not (digits[at + 2] == 50 and digits[at + 3] == 52):
            return NON_GEOGRAPHIC  # pagers, save 07624 (Isle of Man mobiles)
        return MOBILE
    if first == 8:
        return FREEPHONE if second == 0 else NON_GEOGRAPHIC
    return PREMIUM if first == 9 else INVALID


@njit(cache=True, nogil=True)
def _is_withheld(text: Any, at: int, length: int) -> bool:
    for word in range(_WITHHELD.size // 16):
        same = length < 16
        for k in range(16):
            byte = text[at + k] if k < length else 0
            if byte != _WITHHELD[word * 16 + k]:
                same = False
                break
        if same:
            return True
    return False


@njit(cache=True, nogil=True)
def country_of(digits: Any, at: int, length: int) -> Any:
    """The calling code international digits begin with, 0 when there is none; codes are free of prefixes."""
    code = 0
    for k in range(min(3, length)):
        code = code * 10 + digits[at + k] - 48
        if code > 0 and COUNTRIES[code]:
            return code
        if code == 0:
            return 0
    return 0


@njit(cache=True, nogil=True)
def write_number(raw: Any, start: int, length: int, out: Any, at: int) -> tuple[int, int, int]:
    """Writes a number the one way into `out` from `at`; gives its length there, its class and its country."""
    digits = 0
    letters = 0
    strange = 0
    plus = False
    for k in range(length):
        byte = raw[start + k]
        if 48 <= byte <= 57:
            out[at + 3 + digits] = byte  # room in front for "+44"
            digits += 1
        elif byte == 43 and digits == 0 and letters == 0 and strange == 0 and not plus:
            plus = True
        elif 65 <= byte <= 90 or 97 <= byte <= 122 or byte >= 128:
            letters += 1
        elif not _PUNCTUATION[byte]:
            strange += 1
    if letters > 0 or strange > 0 or digits == 0:
        for k in range(length):
            byte = raw[start + k]
            out[at + k] = byte - 32 if 97 <= byte <= 122 else byte
        if _is_withheld(out, at, length):
            return 0, WITHHELD, 0
        sender = letters > 0 and length <= LONGEST_SENDER and not plus
        return length, ALPHANUMERIC if sender else INVALID, 0
    first = at + 3
    size = digits
    if not plus:
        if size >= 2 and out[first] == 48 and out[first + 1] == 48:
            first += 2
            size -= 2
        elif out[first] == 48 and size > LONGEST_SHORT_CODE:
            first -= 1  # the trunk 0 gives way to 44
            size += 1
            out[first] = 52
            out[first + 1] = 52
        elif size <= LONGEST_SHORT_CODE:
            for k in range(size):
                out[at + k] = out[first + k]
            return size, SHORT_CODE if size >= SHORTEST_SHORT_CODE else INVALID, 0
        elif size == 10 and out[first] == 55:
            first -= 2
            size += 2
            out[first] = 52
            out[first + 1] = 52
    if size > 3 and out[first] == 52 and out[first + 1] == 52 and out[first + 2] == 48:
        for k in range(2, size - 1):
            out[first + k] = out[first + k + 1]
        size -= 1
    country = country_of(out, first, size) if E164_SHORTEST <= size <= E164_LONGEST else 0
    if country == 0:
        for k in range(length):
            out[at + k] = raw[start + k]
        return length, INVALID, 0
    out[at] = 43
    for k in range(size):
        out[at + 1 + k] = out[first + k]
    if country == UNITED_KINGDOM:
        return size + 1, uk_class(out, at + 3, size - 2), country
    if country == TEST_COUNTRY and (size - 3 == TEST_NATIONAL_DIGITS or out[at + 4] == 48):
        return size + 1, TEST, country
    return size + 1, INTERNATIONAL, country


_UK_TYPES: Final = {
    PhoneNumberType.MOBILE: MOBILE,
    PhoneNumberType.FIXED_LINE: GEOGRAPHIC,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: GEOGRAPHIC,
    PhoneNumberType.TOLL_FREE: FREEPHONE,
    PhoneNumberType.PREMIUM_RATE: PREMIUM,
    PhoneNumberType.SHARED_COST: NON_GEOGRAPHIC,
    PhoneNumberType.VOIP: NON_GEOGRAPHIC,
    PhoneNumberType.PERSONAL_NUMBER: NON_GEOGRAPHIC,
    PhoneNumberType.PAGER: NON_GEOGRAPHIC,
    PhoneNumberType.UAN: NON_GEOGRAPHIC,
}


def odd_uk_class(form: str) -> int:
    """The class of a UK number of unusual length, as `phonenumbers` sees it."""
    try:
        number = phonenumbers.parse(form, None)
    except phonenumbers.NumberParseException:
        return INVALID
    return _UK_TYPES.get(phonenumbers.number_type(number), INVALID)


def number_form(raw: str) -> tuple[str, int, int]:
    """A number written the one way, its class and its country: the rules, slowly and in the open."""
    shape = re.sub(r"[ \-.()/]", "", raw)
    if not re.fullmatch(r"\+?[0-9]+", shape, re.ASCII):
        return _wordy_form(raw)
    digits = shape.lstrip("+")
    if not shape.startswith("+"):
        if digits.startswith("00"):
            digits = digits[2:]
        elif digits.startswith("0") and len(digits) > LONGEST_SHORT_CODE:
            digits = "44" + digits[1:]
        elif len(digits) <= LONGEST_SHORT_CODE:
            return digits, SHORT_CODE if len(digits) >= SHORTEST_SHORT_CODE else INVALID, 0
        elif len(digits) == 10 and digits[0] == "7":
            digits = "44" + digits
    if digits.startswith("440") and len(digits) > 3:
        digits = "44" + digits[3:]
    country = next((int(digits[:n]) for n in (1, 2, 3) if _is_country(digits[:n])), 0)
    if not E164_SHORTEST <= len(digits) <= E164_LONGEST or not country:
        return raw, INVALID, 0
    form = "+" + digits
    if country != UNITED_KINGDOM:
        made_up = digits[3:] if country == TEST_COUNTRY else ""
        here = len(made_up) == TEST_NATIONAL_DIGITS or made_up.startswith("0")
        return form, TEST if here else INTERNATIONAL, country
    kind = _uk_class_of(digits[2:])
    return form, odd_uk_class(form) if kind == ODD else kind, country


def _is_country(code: str) -> bool:
    return bool(code) and code[0] != "0" and bool(COUNTRIES[int(code)])


def _wordy_form(raw: str) -> tuple[str, int, int]:
    form = "".join(c.upper() if c.isascii() else c for c in raw)
    if form in WITHHELD_WORDS:
        return "", WITHHELD, 0
    letters = any(c.isalpha() or not c.isascii() for c in raw)
    sender = letters and len(raw.encode()) <= LONGEST_SENDER and not re.match(r"[ \-.()/]*\+", raw)
    return form, ALPHANUMERIC if sender else INVALID, 0


def _uk_class_of(national: str) -> int:
    if len(national) != 10:
        return ODD
    if national[0] == "7":
        if national[1] == "0" or (national[1] == "6" and not national.startswith("7624")):
            return NON_GEOGRAPHIC
        return MOBILE
    if national[0] == "8":
        return FREEPHONE if national[1] == "0" else NON_GEOGRAPHIC
    plain = {"1": GEOGRAPHIC, "2": GEOGRAPHIC, "3": NON_GEOGRAPHIC, "5": NON_GEOGRAPHIC, "9": PREMIUM}
    return plain.get(national[0], INVALID)


def number_block(raw: str) -> str | None:
    """The block a number lies in, as the text its prefix token is made of; nothing for what is not E.164."""
    form, _, country = number_form(raw)
    return form[:-BLOCK_DIGITS] + "*" if country else None


def plmn_of(digits: str) -> int:
    """The network of a SIM's IMSI, or of a PLMN written out: MCC*1000+MNC; 0 when it cannot be told."""
    plain = digits.replace("-", "")
    if not re.fullmatch(r"[0-9]{5,15}", plain, re.ASCII):
        return 0
    mcc = int(plain[:3])
    if len(plain) <= 6:
        return mcc * 1000 + int(plain[3:])
    return mcc * 1000 + int(plain[3 : 6 if THREE_DIGIT_MNC[mcc] else 5])


def card_issuer(reference: str) -> str | None:
    """The issuer part of a card reference: its first six characters, where they are digits and more follows.

    A supplier that keeps the issuer identification number in front of its own reference lets cards of one issuer be
    seen together; any other reference has no issuer part.
    """
    return reference[:6] if re.fullmatch(r"[0-9]{6}[^ ]{4,}", reference, re.ASCII) else None


@cache
def ip_network(address: str) -> str | None:
    """The network an address lies in: /24 for IPv4, /48 for IPv6; nothing for what is no address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))
