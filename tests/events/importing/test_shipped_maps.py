"""The shipped maps, each on a small sample of the file it was written for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

SAMPLES = Path(__file__).parents[2] / "samples"
Bench = Callable[..., Any]


def test_amlgentex_rows_become_transfers_salaries_and_spending(bench: Bench) -> None:
    path = SAMPLES / "amlgentex" / "tx_log.parquet"
    rows = pl.read_parquet(path)
    done = bench("amlgentex", path)
    opening = rows.filter(pl.col("type") == "INITALBALANCE").height
    assert done.summary.refused == {}
    assert done.summary.rows_skipped == opening
    assert done.summary.records_out == {
        "payments": rows.height - opening,
        "labels": rows.filter(pl.col("isSAR") == 1).height,
    }
    by_rail: dict[tuple[str, bool, bool], int] = {}
    for each in done.payments:
        key = (each["rail"], "payer_account" in each, "payee_account" in each)
        by_rail[key] = by_rail.get(key, 0) + 1
    kinds = rows.filter(pl.col("type") != "INITALBALANCE").group_by("type", "bankOrig", "bankDest").len()
    names = {
        ("TRANSFER", "bank_a", "bank_a"): ("fps", True, True),
        ("TRANSFER", "source", "bank_a"): ("bacs", False, True),
        ("TRANSFER", "bank_a", "sink"): ("fps", True, False),
        ("CASH", "bank_a", "sink"): ("cash_withdrawal", True, False),
    }
    assert by_rail == {names[row[:3]]: row[3] for row in kinds.iter_rows()}


def test_amlgentex_labels_point_at_their_payments_seven_days_later(bench: Bench) -> None:
    done = bench("amlgentex", SAMPLES / "amlgentex" / "tx_log.parquet")
    payments = {each["event_id"]: each for each in done.payments}
    for label in done.streams["labels"]:
        payment = payments[label["about"].removeprefix("event:")]
        assert label["subjects"] == [
            "account:" + payment["payer_account"],
            "account:" + payment["payee_account"],
        ]
        assert label["ts"] > payment["ts"]
        assert label["typology"] in (
            "fan_out",
            "fan_in",
            "cycle",
            "bipartite",
            "stack",
            "scatter_gather",
            "gather_scatter",
        )


def test_amlgentex_payments_say_nothing_of_the_label(bench: Bench) -> None:
    done = bench("amlgentex", SAMPLES / "amlgentex" / "tx_log.parquet")
    assert not {"ext", "reference", "status"} & {key for each in done.payments for key in each}


def test_amlsim_transfers_and_labels(bench: Bench) -> None:
    path = SAMPLES / "amlsim" / "20K_fanin200cycle200_transactions.parquet"
    rows = pl.read_parquet(path)
    done = bench("amlsim-20k", path)
    assert done.summary.refused == {}
    assert done.summary.records_out == {"payments": rows.height, "labels": int(rows["is_alert_tx"].sum())}
    first = rows.row(0, named=True)
    assert done.payments[0] == {
        "event_id": "as20-1",
        "ts": f"2024-01-{1 + first['time']:02}T00:00:00Z",
        "source": "amlsim-20k",
        "rail": "fps",
        "amount_minor": round(first["value"] * 100),
        "payer_account": f"AS20-{first['sourceNodeId']:05}",
        "payee_account": f"AS20-{first['targetNodeId']:05}",
    }
    times = [each["ts"] for each in done.payments]
    assert times == sorted(times)


def test_amlsim_accounts_become_labels_in_order_of_time(bench: Bench) -> None:
    path = SAMPLES / "amlsim" / "20K_fanin200cycle200_nodes.parquet"
    done = bench("amlsim-20k-accounts", path)
    labels = done.streams["labels"]
    assert len(labels) == int(pl.read_parquet(path)["isFraud"].sum())
    assert [each["ts"] for each in labels] == sorted(each["ts"] for each in labels)
    assert all(each["about"].startswith("account:AS20-") for each in labels)


def test_the_handbook_map_reads_its_columns(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "raw.parquet"
    pl.DataFrame(
        {
            "TRANSACTION_ID": [0, 1],
            "TX_DATETIME": pl.Series(["2018-04-01 00:00:31", "2018-04-01 00:02:10"]).str.to_datetime(
                time_unit="ns"
            ),
            "CUSTOMER_ID": [596, 7],
            "TERMINAL_ID": [3156, 8],
            "TX_AMOUNT": [57.16, 85.64999999999999],
            "TX_FRAUD": [0, 1],
            "TX_FRAUD_SCENARIO": [0, 3],
        }
    ).write_parquet(path)
    done = bench("handbook", path)
    assert done.payments[0] == {
        "event_id": "hb-0",
        "ts": "2018-04-01T00:00:31Z",
        "source": "handbook",
        "rail": "card",
        "amount_minor": 5716,
        "payer_account": "HB-C-000596",
        "card": "tok_hb_000596",
        "terminal_id": "HB-T-003156",
    }
    assert done.payments[1]["amount_minor"] == 8565
    assert [(each["about"], each["ts"], each["typology"]) for each in done.streams["labels"]] == [
        ("event:hb-1", "2018-04-08T00:02:10Z", "card_not_present")
    ]
    every = bench("handbook-all-labels", path)
    assert [each["label"] for each in every.streams["labels"]] == ["innocent", "confirmed"]


def test_a_message_of_collegemsg_becomes_both_legs(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    pl.DataFrame({"src": [1], "dst": [1899], "ts": [1082040961]}).write_parquet(path)
    sent, received = bench("collegemsg", path).streams["telecoms"]
    assert (sent["direction"], sent["number"], sent["other_number"]) == (
        "mo",
        "+999000000001",
        "+999000001899",
    )
    assert (received["direction"], received["number"], received["other_number"]) == (
        "mt",
        sent["other_number"],
        sent["number"],
    )
    assert set(sent) == {
        "event_id", "ts", "source", "kind", "direction", "number", "other_number", "other_kind",
    }  # fmt: skip


def test_amlsim_1k_reads_its_columns(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame(
        {
            "tran_id": [1, 2],
            "orig_acct": [723, 5],
            "bene_acct": [951, 6],
            "tx_type": ["TRANSFER", "CASH_IN"],
            "base_amt": [649.5, 10.0],
            "tran_timestamp": ["2021-01-01T00:00:00Z"] * 2,
            "is_sar": [False, True],
            "alert_id": [-1, 3],
        }
    ).write_parquet(path)
    done = bench("amlsim-1k", path)
    assert [(each["amount_minor"], each["ext"]["tx_type"]) for each in done.payments] == [
        (64950, "TRANSFER"),
        (1000, "CASH_IN"),
    ]
    assert [(each["about"], each["reason_code"]) for each in done.streams["labels"]] == [
        ("event:as1-2", "alert-3")
    ]


def test_ibm_aml_keeps_currencies_apart_and_tells_money_within_an_account(bench: Bench) -> None:
    done = bench(
        "ibm-aml",
        "Timestamp,From Bank,Account,To Bank,Account,Amount Received,Receiving Currency,Amount Paid,"
        "Payment Currency,Payment Format,Is Laundering\n"
        "2022/09/01 00:22,010,8A,010,8A,3697.34,US Dollar,3697.34,US Dollar,Reinvestment,0\n"
        "2022/09/01 00:20,03208,8B,001,8A,500,Yen,500,Yen,ACH,0\n"
        "2022/09/01 00:21,03208,8B,001,8C,0.014999,Bitcoin,0.014999,Bitcoin,Bitcoin,1\n",
    )
    assert done.summary.refused == {}
    assert [
        (each["event_id"], each["rail"], each["payer_account"], each["amount_minor"], each["currency"])
        for each in done.payments
    ] == [
        ("ibm-2", "fps", "IBM-03208-8B", 500, "JPY"),
        ("ibm-3", "fps", "IBM-03208-8B", 1, "XXX"),
        ("ibm-1", "internal", "IBM-010-8A", 369734, "USD"),
    ]
    assert [(each["about"], each["ts"], each["subjects"]) for each in done.streams["labels"]] == [
        ("event:ibm-3", "2022-09-08T00:21:00Z", ["account:IBM-03208-8B", "account:IBM-001-8C"])
    ]


def test_saml_d_reads_its_columns(bench: Bench) -> None:
    done = bench(
        "saml-d",
        "Time,Date,Sender_account,Receiver_account,Amount,Payment_currency,Received_currency,"
        "Sender_bank_location,Receiver_bank_location,Payment_type,Is_laundering,Laundering_type\n"
        "10:35:19,2022-10-07,8724731955,2769355426,1459.15,UK pounds,UK pounds,UK,UK,Cash Deposit,0,Normal\n"
        "10:35:20,2022-10-07,1491989064,8401255335,6019.64,Yen,Dirham,Japan,UAE,Cross-border,1,Smurfing\n",
    )
    assert [(each["ts"], each["amount_minor"], each["currency"]) for each in done.payments] == [
        ("2022-10-07T10:35:19Z", 145915, "GBP"),
        ("2022-10-07T10:35:20Z", 6020, "JPY"),
    ]
    assert [(each["about"], each["typology"]) for each in done.streams["labels"]] == [
        ("event:sd-2", "smurfing")
    ]
    assert "Laundering_type" not in str(done.payments)


def test_paysim_cash_is_the_customers_alone(bench: Bench) -> None:
    done = bench(
        "paysim",
        "step,type,amount,nameOrig,oldbalanceOrg,newbalanceOrig,nameDest,oldbalanceDest,newbalanceDest,"
        "isFraud,isFlaggedFraud\n"
        "1,PAYMENT,1060.31,C1,1089.0,28.69,M1,0.0,0.0,0,0\n"
        "1,TRANSFER,181.0,C2,181.0,0.0,C3,0.0,0.0,1,0\n"
        "2,CASH_OUT,181.0,C4,181.0,0.0,C5,0.0,0.0,1,0\n"
        "3,CASH_IN,10,C1,28.69,38.69,C5,0,0,0,0\n",
    )
    assert done.summary.refused == {}
    assert [
        (each["ts"][11:13], each["rail"], each.get("payer_account"), each.get("payee_account"))
        for each in done.payments
    ] == [
        ("01", "wallet", "PS-C1", "PS-M1"),
        ("01", "fps", "PS-C2", "PS-C3"),
        ("02", "cash_withdrawal", "PS-C4", None),
        ("03", "cash_deposit", None, "PS-C1"),
    ]
    assert [each["about"] for each in done.streams["labels"]] == ["event:ps-2", "event:ps-3"]


BANK = """Transaction ID,End To End ID,Date,Time,Amount,From Sort Code,From Account,To Sort Code,To Account,\
Customer Mobile,Customer Age,New Payee,Device,Reference,Scheme,Channel
T2,E2,01/06/2024,12:00:01,"£1,250.00",00-00-01,12345678,00-00-02,1234,07700 900123,34,Y,d1,rent,Faster Payment,App
T1,E1,01/06/2024,12:00:00,£3.50,00-00-01,12345678,00-00-02,87654321,N/A,17,N,,,Transfer,Cheque
T3,E3,01/06/2024,12:00:02,£3.5.0,00-00-01,12345678,00-00-02,87654321,,,N,,,Transfer,App
"""


def test_the_example_of_a_bank(bench: Bench) -> None:
    done = bench("example-bank-pounds", BANK)
    assert done.payments == [
        {
            "event_id": "T1", "payment_id": "E1", "ts": "2024-06-01T11:00:00Z", "source": "example-bank",
            "rail": "internal", "amount_minor": 350, "payer_account": "00-00-01-12345678",
            "payee_account": "00-00-02-87654321", "payer_agent": "00-00-01", "payee_agent": "00-00-02",
            "payer_age_band": "16-17", "new_payee": False,
        },
        {
            "event_id": "T2", "payment_id": "E2", "ts": "2024-06-01T11:00:01Z", "source": "example-bank",
            "rail": "fps", "amount_minor": 125000, "payer_account": "00-00-01-12345678",
            "payee_account": "00-00-02-00001234", "payer_agent": "00-00-01", "payee_agent": "00-00-02",
            "payer_phone": "+447700900123", "payer_age_band": "25-34", "new_payee": True, "channel": "mobile_app",
            "device_id": "d1", "reference": "rent",
        },
    ]  # fmt: skip
    assert done.messages == ["row 3, amount_minor: '£3.5.0' is not an amount in pounds"]


def test_the_example_of_an_operator(bench: Bench) -> None:
    rows = (
        "CDR_ID;START;TYPE;ROLE;MSISDN;OTHER_PARTY;DURATION;CAUSE;IMSI;IMEI;CELL_FIRST;CELL_LAST;TARIFF;KB_UP;KB_DOWN\n"
        "c1;2024-06-01 12:00:00;VOICE;MO;07700900123;07700900456;0:01:05;16;001010000000001;-;001-01-1-2;-;PREPAY;-;-\n"
        "c2;2024-06-01 11:00:00;SMS;MT;07700900123;60777;-;-;-;-;-;-;CONTRACT;-;-\n"
        "c3;2024-06-01 11:30:00;GPRS;-;07700900123;-;-;-;-;-;-;-;PREPAY;1.5;2\n"
    )
    done = bench("example-operator-cdr", rows)
    assert done.summary.refused == {}
    assert [(each["event_id"], each["kind"]) for each in done.streams["telecoms"]] == [
        ("c2", "sms"), ("c3", "data"), ("c1", "call"),
    ]  # fmt: skip
    assert done.streams["telecoms"][2]["duration_s"] == 65.0
    assert done.streams["telecoms"][2]["answered"] is True
    assert done.streams["telecoms"][0]["other_number"] == "60777"
    assert done.streams["telecoms"][1]["bytes_up"] == 1500


def test_the_example_of_retained_data(bench: Bench) -> None:
    party = (
        '{"partyType": "%s", "partyNumber": "%s", "communicationTime": {"startTime": "2024-06-01T12:00:00+01:00",'
        ' "durationTime": 60}, "iMSI": "001010000000001", "detailedLocation": {"globalCellID": "001-01-1-2"}}'
    )
    parties = ",".join(
        [party % ("originating-Party", "447700900123"), party % ("terminating-Party", "447700900456")]
    )
    line = (
        '{"recordNumber": 7, "recordPayload": {"telephonyRecord": {"telephonyServiceUsage": {"partyInformation": ['
        + parties
        + "]}}}}"
    )
    out, back = bench("example-etsi-retained-data", line, "in.ndjson").streams["telecoms"]
    assert (out["event_id"], out["direction"], out["number"], out["other_number"], out["duration_s"]) == (
        "7-mo", "mo", "+447700900123", "+447700900456", 60.0,
    )  # fmt: skip
    assert (back["event_id"], back["direction"], back["number"], back["other_number"]) == (
        "7-mt", "mt", "+447700900456", "+447700900123",
    )  # fmt: skip
