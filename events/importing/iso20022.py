"""ISO 20022 messages as rows: pacs.008 payments, pacs.002 statuses, pacs.004 returns, camt.056 recalls.

One row is one transaction. Its columns are the message's own element paths, as in `PmtId/UETR`, `DbtrAcct/Id/IBAN`
or `IntrBkSttlmAmt/@Ccy`; what the message says once for all its transactions is under the block that holds it
(`GrpHdr/CreDtTm`, `Assgnmt/CreDtTm`, `OrgnlGrpInfAndSts/OrgnlMsgId`). Namespaces, and so versions of a message, do not matter.

A message comes from outside, so it is read as hostile: no document type, no entities, no network, known encodings
only, and no more than one transaction's elements in memory at a time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import polars as pl
from lxml import etree

from events.importing.errors import SourceError
from events.importing.maps import ROW, ImportMap
from events.importing.tables import BROKEN, Batch, Refused, broken, open_bytes

CHUNK_BYTES: Final = 64 * 1024
LARGEST_TRANSACTION: Final = 4 * 1024 * 1024
"""Bytes of XML after which a transaction (or what stands between two) is not believed: real ones have a few kB."""

LONGEST_TEXT: Final = 1024
BATCH_TRANSACTIONS: Final = 16_384
MOST_NOTES: Final = 20

_ENCODINGS: Final = ("utf-8", "utf-16", "us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252")


@dataclass(frozen=True, slots=True)
class Message:
    """The elements that carry a kind of message: its root, its transactions, and what is said once for them."""

    root: str
    transaction: str
    shared: tuple[str, ...]


MESSAGES: Final[dict[str, Message]] = {
    "pacs.008": Message("FIToFICstmrCdtTrf", "CdtTrfTxInf", ("GrpHdr",)),
    "pacs.002": Message("FIToFIPmtStsRpt", "TxInfAndSts", ("GrpHdr", "OrgnlGrpInfAndSts")),
    "pacs.004": Message("PmtRtr", "TxInf", ("GrpHdr", "OrgnlGrpInf")),
    "camt.056": Message("FIToFIPmtCxlReq", "TxInf", ("Assgnmt", "Case", "CtrlData", "OrgnlGrpInfAndCxl")),
}
_ROOTS: Final = {message.root: name for name, message in MESSAGES.items()}

# where each kind of message says how many transactions it holds and what they add up to
_COUNTS: Final = ("GrpHdr/NbOfTxs", "CtrlData/NbOfTxs")
_SUMS: Final = (
    "GrpHdr/CtrlSum",
    "GrpHdr/TtlIntrBkSttlmAmt",
    "GrpHdr/TtlRtrdIntrBkSttlmAmt",
    "CtrlData/CtrlSum",
)
_AMOUNTS: Final = {
    "pacs.008": "IntrBkSttlmAmt",
    "pacs.004": "RtrdIntrBkSttlmAmt",
    "camt.056": "OrgnlIntrBkSttlmAmt",
}


@dataclass(slots=True)
class _Tally:
    """What one message holds, against what it says it holds."""

    transactions: int = 0
    total: Decimal = Decimal(0)
    summable: bool = True
    shared: dict[str, str] = field(default_factory=dict)


def read_messages(path: Path, wanted: ImportMap) -> Iterator[Batch]:
    """The transactions of a file of ISO 20022 messages, streaming.

    Raises:
        SourceError: the file is missing, empty, damaged, not XML, holds another message, or tries an attack.
    """
    names = sorted(wanted.needs())
    reader = _Reader(path, wanted.format, names)
    counted, stream = open_bytes(path)
    with counted:
        try:
            head = stream.read(CHUNK_BYTES)
            _refuse_tricks(path, head)
            chunk = head
            while chunk:
                reader.feed(chunk)
                if len(reader.numbers) >= BATCH_TRANSACTIONS:
                    yield reader.batch(counted.share)
                chunk = stream.read(CHUNK_BYTES)
            reader.end()
        except BROKEN as fault:
            raise broken(path, fault) from fault
    yield reader.batch(1.0, last=True)


def _refuse_tricks(path: Path, head: bytes) -> None:
    """Refuses a document type or an odd encoding before the parser sees either."""
    plain = head.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if not plain.startswith(b"<"):
        raise SourceError(
            f"{path.name} is not XML; give the message as it was sent, or use the map of its format"
        )
    if re.search(rb"<!\s*(?:DOCTYPE|ENTITY)", plain, re.IGNORECASE):
        raise _has_doctype(path)
    declared = re.match(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)", plain)
    if declared and declared[1].decode("ascii", "replace").lower() not in _ENCODINGS:
        raise SourceError(
            f"{path.name} is in the encoding {declared[1].decode('ascii', 'replace')!r}; messages are UTF-8 "
            f"(also taken: {', '.join(_ENCODINGS[1:])})"
        )


def _has_doctype(path: Path) -> SourceError:
    return SourceError(
        f"{path.name} declares a document type or entities. No ISO 20022 message does, and entities are a way to "
        "attack a reader, so it was refused unread; ask its supplier what it is"
    )


class _Reader:
    """Feeds bytes to the parser and takes each transaction out of the tree as soon as it is whole."""

    def __init__(self, path: Path, form: str, names: list[str]) -> None:
        self._path = path
        self._form = form
        self._message = MESSAGES[form]
        self._names = names
        blocks = (self._message.transaction, *self._message.shared, *_ROOTS)
        self._parser = etree.XMLPullParser(
            events=("start", "end"),
            tag=["{*}" + block for block in dict.fromkeys(blocks)],
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        self._since = 0
        self._checked = False
        self._found = False
        self._row = 0
        self._tally = _Tally()
        self._columns: list[list[str | None]] = [[] for _ in names]
        self._seen: set[str] = set()
        self.numbers: list[int] = []
        self._refused: list[Refused] = []
        self._notes: list[str] = []

    def feed(self, chunk: bytes) -> None:
        try:
            self._parser.feed(chunk)
            progressed = self._take()
        except etree.XMLSyntaxError as fault:
            raise self._not_xml(fault) from fault
        self._since = 0 if progressed else self._since + len(chunk)
        if self._since > LARGEST_TRANSACTION:
            raise SourceError(
                f"{self._path.name}: more than {LARGEST_TRANSACTION} bytes without a whole transaction after "
                f"transaction {self._row}; no real message does that, so reading stopped"
            )

    def end(self) -> None:
        try:
            self._parser.close()
            self._take()
        except etree.XMLSyntaxError as fault:
            raise self._not_xml(fault) from fault
        if not self._found:
            raise SourceError(
                f"{self._path.name} is XML but holds no {self._form} ({self._message.root}); "
                "choose the map for the message it holds"
            )

    def _not_xml(self, fault: Exception) -> SourceError:
        said = str(fault)
        if "ntity" in said or "DOCTYPE" in said or "DTD" in said:
            return _has_doctype(self._path)
        return SourceError(
            f"{self._path.name} is not whole XML: {said}; nothing of it was kept, ask its supplier for it again"
        )

    def _take(self) -> bool:
        """Handles what the parser has finished; true when a transaction was among it."""
        progressed = False
        for event, element in self._parser.read_events():
            if not self._checked:
                self._check_document(element)
            name = _local(element.tag)
            if name in _ROOTS:
                self._at_root(event, name)
            elif event == "end" and self._found:
                if name == self._message.transaction:
                    self._transaction(element)
                    progressed = True
                elif name in self._message.shared:
                    self._shared(name, element)
        return progressed

    def _check_document(self, element: Any) -> None:
        """Belt and braces: whatever the first bytes hid, no document type gets past here."""
        self._checked = True
        if element.getroottree().docinfo.internalDTD is not None:
            raise _has_doctype(self._path)

    def _at_root(self, event: str, name: str) -> None:
        if name != self._message.root:
            if event == "start" and not self._found:
                raise SourceError(
                    f"{self._path.name} holds {_ROOTS[name]} ({name}), not {self._form}; "
                    f"use the map for {_ROOTS[name]}"
                )
            return
        if event == "start":
            self._found = True
            self._tally = _Tally()
        else:
            self._close_message()

    def _shared(self, name: str, element: Any) -> None:
        """What is said once; a later block of the same name (camt.056 has several) takes its place."""
        if _inside(element, self._message.transaction):
            return
        found = leaves(element)
        kept = {path: text for path, text in self._tally.shared.items() if not path.startswith(name + "/")}
        self._tally.shared = kept | {f"{name}/{path}": text for path, text in found.items()}

    def _transaction(self, element: Any) -> None:
        found = leaves(element)
        self._row += 1
        self._count(found)
        values = [_short(found.get(name) or self._tally.shared.get(name)) for name in self._names]
        self.numbers.append(self._row)
        for name, column, value in zip(self._names, self._columns, values, strict=True):
            column.append(value)
            if value is not None:
                self._seen.add(name)
        _release(element)

    def _count(self, found: dict[str, str]) -> None:
        self._tally.transactions += 1
        try:
            self._tally.total += Decimal(found[_AMOUNTS[self._form]])
        except (KeyError, InvalidOperation):
            self._tally.summable = False

    def _close_message(self) -> None:
        """Compares what the message holds with what its header says, and notes a difference."""
        said, shared = self._tally, self._tally.shared
        name = shared.get("GrpHdr/MsgId") or shared.get("Assgnmt/Id") or "without an id"
        count = next((shared[path] for path in _COUNTS if path in shared), None)
        if count is not None and count != str(said.transactions):
            self._note(
                f"message {_short(name)} says {_short(count)} transactions and holds {said.transactions}"
            )
        total = next((shared[path] for path in _SUMS if path in shared), None)
        if total is not None and said.summable and not _equal(total, said.total):
            self._note(f"message {_short(name)} says a sum of {_short(total)} and adds up to {said.total}")

    def _note(self, note: str) -> None:
        if len(self._notes) < MOST_NOTES:
            self._notes.append(note)
        elif len(self._notes) == MOST_NOTES:
            self._notes.append("more messages do not add up")

    def batch(self, share: float, *, last: bool = False) -> Batch:
        """The transactions gathered so far, as a frame."""
        columns = [
            pl.Series(name, column, dtype=pl.String)
            for name, column in zip(self._names, self._columns, strict=True)
        ]
        frame = pl.DataFrame([*columns, pl.Series(ROW, self.numbers, dtype=pl.Int64)])
        notes = []
        if last:
            notes = [*self._notes]
            if self._row == 0:
                notes.append(f"{self._path.name} holds no transaction")
        self._columns = [[] for _ in self._names]
        self.numbers = []
        return Batch(frame, [], share, notes)


def _release(element: Any) -> None:
    """Lets go of a finished element and of all that stands before it: what is held stays that of one transaction."""
    element.clear()
    while element is not None:
        parent = element.getparent()
        while parent is not None and element.getprevious() is not None:
            del parent[0]
        element = parent


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _inside(element: Any, name: str) -> bool:
    return any(_local(parent.tag) == name for parent in element.iterancestors())


def leaves(element: Any, path: str = "") -> dict[str, str]:
    """The texts and attributes under an element by their path; of repeated ones the first."""
    found: dict[str, str] = {}
    _gather(element, "", found)
    return found


def _gather(element: Any, prefix: str, found: dict[str, str]) -> None:
    for child in element:
        tag = child.tag
        if not isinstance(tag, str):
            continue
        path = prefix + tag.rpartition("}")[2]
        for name, value in child.items():
            found.setdefault(f"{path}/@{_local(name)}", value)
        if len(child):
            _gather(child, path + "/", found)
        elif child.text:
            found.setdefault(path, child.text.strip())


def _short(text: str | None) -> str | None:
    return text[:LONGEST_TEXT] if text else None


def _equal(written: str, total: Decimal) -> bool:
    try:
        return Decimal(written) == total
    except InvalidOperation:
        return False
