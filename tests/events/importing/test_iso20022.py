"""ISO 20022: payments, rejections, returns and recalls; sums; and files that mean harm."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from events.importing import SourceError, iso20022

Bench = Callable[..., Any]

UETR = "00000000-0000-4000-8000-00000000000{}"


def payment(number: int, amount: str = "12.30", currency: str = "GBP", ids: str = "", **parts: str) -> str:
    ids = ids or f"<EndToEndId>E{number}</EndToEndId><TxId>T{number}</TxId><UETR>{UETR.format(number)}</UETR>"
    payer = parts.get("payer", "<IBAN>GB00SYNB00000012345678</IBAN>")
    payee = parts.get("payee", "<Othr><Id>87654321</Id></Othr>")
    return f"""
    <CdtTrfTxInf>
      <PmtId>{ids}</PmtId>
      <IntrBkSttlmAmt Ccy="{currency}">{amount}</IntrBkSttlmAmt>
      {parts.get("accepted", "<AccptncDtTm>2024-06-01T12:00:00+01:00</AccptncDtTm>")}
      <Dbtr><Nm>A. Payer</Nm></Dbtr><DbtrAcct><Id>{payer}</Id></DbtrAcct>
      <DbtrAgt><FinInstnId><BICFI>SYNBGB00</BICFI></FinInstnId></DbtrAgt>
      <CdtrAgt><FinInstnId><ClrSysMmbId><MmbId>000001</MmbId></ClrSysMmbId></FinInstnId></CdtrAgt>
      <Cdtr><Nm>B. Payee</Nm></Cdtr><CdtrAcct><Id>{payee}</Id></CdtrAcct>
      <Purp><Cd>GDDS</Cd></Purp><RmtInf><Ustrd>rent</Ustrd><Ustrd>june</Ustrd></RmtInf>
    </CdtTrfTxInf>"""


def pacs008(*payments: str, header: str = "", version: str = "08") -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.{version}"><FIToFICstmrCdtTrf>
  <GrpHdr><MsgId>M1</MsgId><CreDtTm>2024-06-01T11:00:00</CreDtTm>{header}
    <SttlmInf><SttlmMtd>CLRG</SttlmMtd><ClrSys><Cd>FPS</Cd></ClrSys></SttlmInf></GrpHdr>
  {"".join(payments)}
</FIToFICstmrCdtTrf></Document>"""


def pacs002(status: str) -> str:
    return f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.002.001.10"><FIToFIPmtStsRpt>
  <GrpHdr><MsgId>S1</MsgId><CreDtTm>2024-06-01T11:00:05Z</CreDtTm></GrpHdr>
  <TxInfAndSts><OrgnlEndToEndId>E1</OrgnlEndToEndId><OrgnlUETR>{UETR.format(1)}</OrgnlUETR><TxSts>{status}</TxSts>
    <StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf></TxInfAndSts>
</FIToFIPmtStsRpt></Document>"""


def pacs004(*reasons: str) -> str:
    returns = "".join(
        f"""<TxInf><RtrId>R{number}</RtrId><OrgnlUETR>{UETR.format(number)}</OrgnlUETR>
        <RtrdIntrBkSttlmAmt Ccy="GBP">12.30</RtrdIntrBkSttlmAmt>
        <RtrRsnInf><Rsn><Cd>{reason}</Cd></Rsn></RtrRsnInf></TxInf>"""
        for number, reason in enumerate(reasons, start=1)
    )
    return f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.004.001.09"><PmtRtr>
  <GrpHdr><MsgId>R1</MsgId><CreDtTm>2024-06-03T09:00:00Z</CreDtTm><NbOfTxs>{len(reasons)}</NbOfTxs></GrpHdr>
  {returns}</PmtRtr></Document>"""


def camt056(*reasons: str) -> str:
    recalls = "".join(
        f"""<Undrlyg><OrgnlGrpInfAndCxl><OrgnlMsgId>M1</OrgnlMsgId></OrgnlGrpInfAndCxl><TxInf><CxlId>C{number}</CxlId>
        <OrgnlUETR>{UETR.format(number)}</OrgnlUETR>
        <OrgnlIntrBkSttlmAmt Ccy="GBP">12.30</OrgnlIntrBkSttlmAmt>
        <CxlRsnInf><Rsn><Cd>{reason}</Cd></Rsn></CxlRsnInf></TxInf></Undrlyg>"""
        for number, reason in enumerate(reasons, start=1)
    )
    return f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.056.001.08"><FIToFIPmtCxlReq>
  <Assgnmt><Id>X1</Id><CreDtTm>2024-06-02T08:00:00Z</CreDtTm></Assgnmt>
  <CtrlData><NbOfTxs>{len(reasons)}</NbOfTxs></CtrlData>{recalls}</FIToFIPmtCxlReq></Document>"""


def test_a_credit_transfer_becomes_a_payment(bench: Bench) -> None:
    done = bench("pacs.008", pacs008(payment(1)), "in.xml")
    assert done.payments == [
        {
            "event_id": "pacs.008-" + UETR.format(1),
            "payment_id": UETR.format(1),
            "ts": "2024-06-01T11:00:00Z",
            "source": "iso20022",
            "rail": "fps",
            "amount_minor": 1230,
            "currency": "GBP",
            "payer_account": "GB00SYNB00000012345678",
            "payee_account": "000001-87654321",
            "payer_agent": "SYNBGB00",
            "payee_agent": "000001",
            "reference": "rent",
            "ext": {"purpose": "GDDS", "category_purpose": None},
        }
    ]
    assert done.summary.notes == ()


@pytest.mark.parametrize("version", ["02", "08", "12"])
def test_versions_of_a_message_do_not_matter(bench: Bench, version: str) -> None:
    assert len(bench("pacs.008", pacs008(payment(1), payment(2), version=version), "in.xml").payments) == 2


def test_prefixed_and_wrapped_messages_are_read(bench: Bench) -> None:
    inner = pacs008(payment(1)).partition("?>")[2]
    wrapped = (
        f'<b:Batch xmlns:b="urn:x"><AppHdr><Fr>SYNB</Fr></AppHdr>{inner}{inner.replace("M1", "M2")}</b:Batch>'
    )
    assert len(bench("pacs.008", wrapped, "in.xml").payments) == 2


def test_a_payment_without_a_uetr_takes_its_next_best_id(bench: Bench) -> None:
    ids = ["<EndToEndId>E</EndToEndId><TxId>T</TxId>", "<EndToEndId>E</EndToEndId>"]
    ids.append("<EndToEndId>NOTPROVIDED</EndToEndId>")
    done = bench("pacs.008", pacs008(*(payment(1, ids=each) for each in ids)), "in.xml")
    assert [each["payment_id"] for each in done.payments] == ["T", "E"]
    assert done.messages == ["row 3, event_id: is empty, and payments records need it"]


@pytest.mark.parametrize(
    ("currency", "amount", "minor"), [("JPY", "500", 500), ("KWD", "1.234", 1234), ("GBP", "0.1", 10)]
)
def test_minor_units_follow_the_currency(bench: Bench, currency: str, amount: str, minor: int) -> None:
    done = bench("pacs.008", pacs008(payment(1, amount, currency)), "in.xml")
    assert [(each["amount_minor"], each["currency"]) for each in done.payments] == [(minor, currency)]


def test_a_bad_amount_costs_only_its_transaction(bench: Bench) -> None:
    done = bench(
        "pacs.008", pacs008(payment(1), payment(2, "12,30"), payment(3, "1.005"), payment(4)), "in.xml"
    )
    assert [each["payment_id"][-1] for each in done.payments] == ["1", "4"]
    assert done.messages[0].startswith("row 2, amount_minor: '12,30' is not an amount")
    assert done.messages[1].startswith("row 3, amount_minor: '1.005' is too large, or has more decimals")


def test_a_time_without_an_offset_is_utc_and_the_header_stands_in(bench: Bench) -> None:
    done = bench("pacs.008", pacs008(payment(1, accepted="")), "in.xml")
    assert done.payments[0]["ts"] == "2024-06-01T11:00:00Z"


def test_counts_and_sums_are_checked_and_reported(bench: Bench) -> None:
    good = pacs008(payment(1), payment(2), header="<NbOfTxs>2</NbOfTxs><CtrlSum>24.6</CtrlSum>")
    assert bench("pacs.008", good, "in.xml").summary.notes == ()
    bad = pacs008(payment(1), payment(2), header="<NbOfTxs>3</NbOfTxs><CtrlSum>24.61</CtrlSum>")
    assert bench("pacs.008", bad, "in.xml").summary.notes == (
        "message M1 says 3 transactions and holds 2",
        "message M1 says a sum of 24.61 and adds up to 24.60",
    )


@pytest.mark.parametrize(("status", "records"), [("RJCT", 1), ("CANC", 1), ("ACSC", 0), ("PDNG", 0)])
def test_a_rejection_becomes_a_status_record(bench: Bench, status: str, records: int) -> None:
    done = bench("pacs.002", pacs002(status), "in.xml")
    assert len(done.payments) == records
    assert done.summary.rows_skipped == 1 - records
    for each in done.payments:
        assert (each["payment_id"], each["status"], each["status_reason"], each["ts"]) == (
            UETR.format(1), "rejected", "AC04", "2024-06-01T11:00:05Z",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("form", "message", "status", "when"),
    [
        ("pacs.004", pacs004, "returned", "2024-06-03T09:00:00Z"),
        ("camt.056", camt056, "recalled", "2024-06-02T08:00:00Z"),
    ],
)
def test_fraud_returns_and_recalls_become_labels_of_the_payment(
    bench: Bench, form: str, message: Callable[..., str], status: str, when: str
) -> None:
    made = {each["event_id"] for each in bench("pacs.008", pacs008(payment(1), payment(2)), "p.xml").payments}
    done = bench(form, message("AC03", "FRAD"), "in.xml")
    assert [
        (each["payment_id"], each["status"], each["status_reason"], each["ts"]) for each in done.payments
    ] == [
        (UETR.format(1), status, "AC03", when),
        (UETR.format(2), status, "FRAD", when),
    ]
    [label] = done.streams["labels"]
    assert label["about"].removeprefix("event:") in made
    assert (label["about"], label["label"], label["origin"], label["reason_code"], label["ts"]) == (
        "event:pacs.008-" + UETR.format(2), "confirmed", "recall", "FRAD", when,
    )  # fmt: skip
    assert done.summary.notes == ()


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
ATTACKS = {
    "billion laughs": f'<!DOCTYPE d [<!ENTITY l0 "ha">{LAUGHS}]><Document>&l9;</Document>',
    "quadratic blow-up": f'<!DOCTYPE d [<!ENTITY a "{"x" * 10_000}">]><Document>{"&a;" * 10_000}</Document>',
    "external entity": '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]><Document>&x;</Document>',
    "external document type": '<!DOCTYPE d SYSTEM "http://192.0.2.1/evil.dtd"><Document/>',
    "parameter entity": '<!DOCTYPE d [<!ENTITY % p SYSTEM "http://192.0.2.1/p">%p;]><Document/>',
    "entity in an attribute": f'<!DOCTYPE d [<!ENTITY l0 "ha">{LAUGHS}]><Document a="&l9;"/>',
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_and_document_types_are_refused_unread(bench: Bench, attack: str, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>{ATTACKS[attack]}'
    with pytest.raises(SourceError, match="declares a document type or entities"):
        bench("pacs.008", text.encode(encoding), "in.xml")


def test_a_document_type_far_behind_the_beginning_is_refused_too(bench: Bench) -> None:
    comment = "<!--" + "x" * (2 * iso20022.CHUNK_BYTES) + "-->"
    text = (
        '<?xml version="1.0"?>'
        + comment
        + '<!DOCTYPE d [<!ENTITY a "b">]>'
        + pacs008(payment(1)).partition("?>")[2]
    )
    with pytest.raises(SourceError, match="declares a document type or entities"):
        bench("pacs.008", text, "in.xml")


def test_encodings_that_hide_markup_are_refused(bench: Bench) -> None:
    text = '<?xml version="1.0" encoding="UTF-7"?>' + "+ADw-!DOCTYPE d+AD4-<Document/>"
    with pytest.raises(SourceError, match="is in the encoding 'UTF-7'"):
        bench("pacs.008", text, "in.xml")


def test_undeclared_entities_are_refused(bench: Bench) -> None:
    with pytest.raises(SourceError, match=r"declares a document type or entities|is not whole XML"):
        bench("pacs.008", pacs008(payment(1, "&x;")), "in.xml")


def test_a_transaction_without_end_is_not_waited_for(bench: Bench) -> None:
    endless = payment(1).replace(
        "<Purp>", "<Purp><Cd>x</Cd></Purp><Purp>" * (iso20022.LARGEST_TRANSACTION // 20)
    )
    with pytest.raises(SourceError, match=r"without a whole transaction|is not whole XML"):
        bench("pacs.008", pacs008(endless), "in.xml")


def test_depth_is_bounded(bench: Bench) -> None:
    with pytest.raises(SourceError, match="is not whole XML"):
        bench(
            "pacs.008",
            pacs008(payment(1).replace("<Purp>", "<a>" * 5000 + "</a>" * 5000 + "<Purp>")),
            "in.xml",
        )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,amount\n1,2\n", "is not XML"),
        ("<Document><Other/></Document>", "holds no pacs.008"),
        (pacs004("FRAD"), "holds pacs.004 .PmtRtr., not pacs.008; use the map for pacs.004"),
        (pacs008(payment(1), payment(2))[:-60], "is not whole XML"),
        ("", "is empty"),
    ],
)
def test_other_files_are_refused_with_what_to_do(bench: Bench, tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        bench("pacs.008", text, "in.xml")
    assert not [path for path in (tmp_path / "out").iterdir() if path.suffix != ".part"]


@pytest.mark.parametrize(
    ("form", "block", "text"),
    [
        ("pacs.008", "CdtTrfTxInf", pacs008(*(payment(1 + number % 9) for number in range(3000)))),
        ("camt.056", "Undrlyg", camt056(*(["DUPL"] * 3000))),
    ],
)
def test_memory_does_not_grow_with_the_number_of_transactions(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, form: str, block: str, text: str
) -> None:
    """The parser's tree holds what one chunk of the file brings, never the whole message."""
    handled = iso20022._Reader._transaction
    held = []

    def watched(self: Any, element: Any) -> None:
        root = element.getroottree().getroot()
        handled(self, element)
        held.append(sum(1 for _ in root.iter("{*}" + block)))

    monkeypatch.setattr(iso20022._Reader, "_transaction", watched)
    done = bench(form, text, "in.xml")
    assert done.summary.records_out["payments"] == 3000
    assert max(held) < 300
