"""Every crime leaves the records it is known by, and truth names the right subjects and dates."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from simulator.simulation import simulate

START = date(2026, 3, 2)
DAYS = 10
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
SCENARIO: dict[str, Any] = {
    "run": {"without": ["innocents"]},
    "crimes": {
        "lines": 14, "wangiri": 2, "revenue_share": 2, "pbx_hacking": 2, "sim_box": 2, "smishing_farm": 2,
        "subscription_fraud": 2, "cli_spoofing": 2, "mule_networks": 4, "app_fraud": 30, "takeover": 5, "card_testing": 2,
        "card_not_present": 6,
    },
    "county_lines": {
        "handset_days": 5, "number_days": 6, "announced_share": 0.9, "life_days_median": 25, "life_sigma": 0.8,
        "type1_share": 0.3, "reemerge_after_type2": 1.0, "unseen_share": 0.3, "customers_median": 60, "watched_share": 0.9,
        "missing_reported_share": 0.9, "abroad_share": 0.15, "never_flares_share": 0.05, "collector_share": 0.9,
    },
    "wangiri": {"rings_per_number_hour": 30, "numbers": 5},
    "sim_box": {"sims_at_once": 5, "days": 4, "calls_per_sim_day": 40},
    "smishing_farm": {"sims_at_once": 4, "days": 2, "texts_per_sim_hour": 60},
    "revenue_share": {"sims": 3, "calls_at_once": 1},
    "cli_spoofing": {"calls_an_hour": 70},
    "app_fraud": {"evenness": 1.0, "prompt_delay_days": 0.5, "purchase_delay_days": 1.0},
    "takeover": {"without_swap_share": 0.2, "reported_days": 0.5},
}  # fmt: skip


@dataclass
class Told:
    """A run as tables."""

    telecoms: pl.DataFrame
    payments: pl.DataFrame
    accounts: pl.DataFrame
    labels: pl.DataFrame
    links: pl.DataFrame
    watch: pl.DataFrame
    truth: list[dict[str, Any]]

    def of(self, kind: str, typology: str = "") -> list[dict[str, Any]]:
        """Rows of truth of a kind, their notes read."""
        rows = [row for row in self.truth if row["kind"] == kind and typology in ("", row["typology"])]
        assert rows, f"the world has no {kind} {typology}"
        return rows


def read(out: Path) -> Told:
    """A folder written by `simulate`."""
    tables: dict[str, pl.DataFrame] = {}
    for stream in ("telecoms", "payments", "accounts", "labels", "links", "watch"):
        tables[stream] = pl.read_parquet(out / f"{stream}.parquet").unique("event_id", maintain_order=True)
    truth = [json.loads(line) for line in (out / "truth" / "truth.ndjson").read_text().splitlines()]
    for row in truth:
        row["note"] = json.loads(row["note"]) if row.get("note") else {}
    return Told(**tables, truth=truth)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    out = tmp_path_factory.mktemp("crimes")
    simulate(1_300, DAYS, 11, START, out, format="parquet", scenario=SCENARIO)
    return read(out)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def sent(told: Told, numbers: list[str]) -> pl.DataFrame:
    """Texts sent from some numbers, as the sender's operator tells them."""
    mine = pl.col("number").is_in(numbers) & (pl.col("direction") == "mo")
    return told.telecoms.filter(mine & (pl.col("kind") == "sms")).sort("ts")


def most_in_ten_minutes(texts: pl.DataFrame) -> int:
    """The most distinct recipients in any ten minutes."""
    windows = texts.rolling("ts", period="10m").agg(pl.col("other_number").n_unique())
    return int(str(windows["other_number"].max() or 0))


def seen_lines(told: Told) -> list[dict[str, Any]]:
    """Reigns that telecoms can see, adverts and all, for a day or more of the run."""
    end = BEGIN + timedelta(days=DAYS)
    rows = []
    for row in told.of("line"):
        first = max(BEGIN + timedelta(days=row["note"]["first_flare_day"]), BEGIN)
        until = moment(row["to"]) if "to" in row else end
        if "unseen" not in row["note"] and row["note"]["flares"] and until - first > timedelta(days=2):
            rows.append(row)
    assert len(rows) >= 4
    return rows


# ---- county lines ------------------------------------------------------------------------------------------------


def test_a_line_texts_many_people_within_minutes(told: Told) -> None:
    bursts = [most_in_ten_minutes(sent(told, row["numbers"])) for row in seen_lines(told)]
    assert np.median(bursts) >= 15


def test_a_line_texts_the_same_people_again(told: Told) -> None:
    repeats = []
    for row in seen_lines(told):
        texts = sent(told, row["numbers"])
        repeats.append(1 - texts["other_number"].n_unique() / max(texts.height, 1))
    assert np.median(repeats) > 0.5


def test_those_who_got_an_advert_ring_or_text_back(told: Told) -> None:
    shares = []
    for row in seen_lines(told):
        adverts = set(sent(told, row["numbers"])["other_number"])
        back = told.telecoms.filter(
            pl.col("number").is_in(row["numbers"])
            & (pl.col("direction") == "mt")
            & pl.col("kind").is_in(["sms", "call"])
        )
        assert back.height > 0
        shares.append(len(adverts & set(back["other_number"])) / len(adverts))
    assert min(shares) > 0.2


def test_calls_to_a_line_are_short(told: Told) -> None:
    numbers = [n for row in seen_lines(told) for n in row["numbers"]]
    calls = told.telecoms.filter(
        pl.col("number").is_in(numbers)
        & (pl.col("direction") == "mt")
        & pl.col("answered")
        & (pl.col("duration_s") > 0)
    )
    assert 10 < float(calls["duration_s"].median()) < 70  # type: ignore[arg-type]


def test_a_line_changes_its_handset_and_keeps_its_number(told: Told) -> None:
    numbers = [n for row in told.of("line") for n in row["numbers"]]
    changes = told.telecoms.filter((pl.col("kind") == "device_change") & pl.col("number").is_in(numbers))
    assert changes.height >= 5
    assert (changes["imei"] != changes["previous_imei"]).all()
    number, at = changes["number"][0], changes["ts"][0]
    own = told.telecoms.filter(
        (pl.col("number") == number) & pl.col("kind").is_in(["sms", "call", "location"])
    )
    assert set(own.filter(pl.col("ts") < at)["imei"]) & {changes["previous_imei"][0]}
    assert changes["previous_imei"][0] not in set(own.filter(pl.col("ts") > at)["imei"])


def test_a_new_number_reaches_the_customers_of_the_old_one(told: Told) -> None:
    overlaps, announced = [], 0
    rows = {row["id"]: row for row in told.of("line")}
    for row in rows.values():
        before = rows.get(row["note"].get("predecessor", ""))
        if before is None or "unseen" in row["note"]:
            continue
        new, old = (set(sent(told, r["numbers"])["other_number"]) for r in (row, before))
        assert not set(row["numbers"]) & set(before["numbers"])
        assert row["note"]["after"] in ("number_change", "type1", "type2")
        announced += bool(row["note"]["announced"])
        if len(new) >= 15 and len(old) >= 15:
            overlaps.append(len(new & old) / min(len(new), len(old)))
    assert len(overlaps) >= 3
    assert np.median(overlaps) > 0.6
    assert announced >= 1


def test_a_number_is_silent_after_its_time(told: Told) -> None:
    ended = [row for row in told.of("line") if "to" in row]
    assert ended
    for row in ended:
        later = told.telecoms.filter(pl.col("number").is_in(row["numbers"]) & (pl.col("direction") == "mo"))
        late = later.filter(pl.col("ts") > moment(row["to"]) + timedelta(hours=2))
        assert late.height == 0


def test_a_line_by_messenger_leaves_data_sessions_only(told: Told) -> None:
    unseen = [row for row in told.of("line") if row["note"].get("unseen") == "telecoms"]
    assert unseen
    for row in unseen:
        own = told.telecoms.filter(pl.col("number").is_in(row["numbers"]))
        assert "sms" not in set(own["kind"])
        assert "call" not in set(own["kind"])


def test_truth_names_forces_key_events_and_the_brand(told: Told) -> None:
    known = set(told.telecoms["event_id"])
    for row in seen_lines(told):
        assert set(row["event_ids"]) & known
        assert len(row["event_ids"]) <= 60
        assert row["home_force"] in row["active_forces"]
        assert row["typology"] == ("external_line" if row["note"]["external"] else "internal_line")
        assert (len(set(row["active_forces"])) == 2) == row["note"]["external"]
        assert row["id"].startswith(row["note"]["line"])


def test_a_line_that_began_in_the_run_is_dated_by_its_first_record(told: Told) -> None:
    began = [row for row in seen_lines(told) if moment(row["from"]) > BEGIN]
    assert began
    for row in began:
        assert sent(told, row["numbers"])["ts"].min() >= moment(row["from"])  # type: ignore[operator]


def test_runners_are_mostly_young_and_their_phones_are_seen_in_the_market(told: Told) -> None:
    runners = told.of("runner")
    assert sum(row["note"]["child"] for row in runners) >= len(runners) / 5
    away = [row for row in runners if len(row["active_forces"]) == 2 and moment(row["from"]) > BEGIN]
    far = 0
    for row in away:
        own = told.telecoms.filter(pl.col("number").is_in(row["numbers"]) & pl.col("lat").is_not_null())
        north, east = np.ptp(own["lat"].to_numpy()) * 111, np.ptp(own["lon"].to_numpy()) * 68
        far += float(np.hypot(north, east)) > 10
    assert far >= 0.8 * len(away) >= 1


def test_missing_children_are_on_the_watch_list_and_are_runners(told: Told) -> None:
    missing = told.watch.filter(pl.col("why") == "missing_child")
    children = {n for row in told.of("runner") if row["note"]["child"] for n in row["numbers"]}
    assert missing.height >= 1
    assert set(missing["value"]) <= children


def test_police_know_some_lines_and_label_those_they_close(told: Told) -> None:
    numbers = {n for row in told.of("line") for n in row["numbers"]}
    watched = told.watch.filter(pl.col("why").is_in(["deal_line", "restricted"]))
    assert watched.height >= 1
    assert set(watched["value"]) <= numbers
    closed = told.labels.filter(pl.col("typology") == "deal_line")
    assert set(closed["about"]) <= {f"number:{n}" for n in numbers}


def test_customers_pay_small_round_sums_into_young_peoples_accounts(told: Told) -> None:
    accounts = [a for row in told.of("line") for a in row["accounts"]]
    paid = told.payments.filter(
        pl.col("payee_account").is_in(accounts)
        & (pl.col("rail") == "fps")
        & (pl.col("amount_minor") <= 10_000)
    ).unique("payment_id")
    assert paid["payer_account"].n_unique() >= 20
    assert float((paid["amount_minor"] % 500 == 0).mean()) > 0.7  # type: ignore[arg-type]
    assert set(paid["payee_age_band"].drop_nulls()) & {"16-17", "18-20", "21-24"}


def test_customers_come_to_a_cuckooed_home(told: Told) -> None:
    visited = 0
    for row in told.of("cuckoo"):
        seen = told.telecoms.filter((pl.col("kind") == "location") & (pl.col("cell") == row["note"]["cell"]))
        visited += seen["number"].n_unique() >= 5
    assert visited >= 2


def test_a_holder_abroad_roams(told: Told) -> None:
    abroad = [n for row in told.of("line") if row["note"]["holder"] == "abroad" for n in row["numbers"]]
    if not abroad:
        pytest.skip("no holder of this world is abroad")
    own = told.telecoms.filter(
        pl.col("number").is_in(abroad) & ((pl.col("direction") == "mo") | (pl.col("kind") == "location"))
    )
    assert own["visited_plmn"].is_not_null().all()
    assert own["cell"].is_null().all()


# ---- fraud against payers ----------------------------------------------------------------------------------------


def test_all_eight_types_of_authorised_fraud_are_there(told: Told) -> None:
    types = {row["typology"] for row in told.of("app_case")}
    assert len(types) >= 7
    assert all(row["note"]["value_minor"] > 0 for row in told.of("app_case"))


def test_the_call_goes_on_while_the_payment_is_made(told: Told) -> None:
    calling = [row for row in told.of("app_case") if row["note"]["call_during_payment"]]
    assert len(calling) >= 5
    during = 0
    for row in calling:
        victim, note = row["numbers"][1], row["note"]
        calls = told.telecoms.filter(
            (pl.col("number") == victim) & (pl.col("direction") == "mt") & (pl.col("duration_s") > 100)
        )
        paid = told.payments.filter(
            (pl.col("payer_account") == note["victim_account"])
            & pl.col("payee_account").is_in(note["payees"])
        )
        during += any(
            start <= at <= start + timedelta(seconds=length)
            for start, length in zip(_starts(calls), calls["duration_s"], strict=True)
            for at in paid["ts"]
        )
    assert during >= 0.8 * len(calling)


def _starts(calls: pl.DataFrame) -> list[datetime]:
    """When calls began: a record of the end alone is dated at the end."""
    return [
        at - timedelta(seconds=length) if phase == "end" else at
        for at, length, phase in zip(calls["ts"], calls["duration_s"], calls["phase"], strict=True)
    ]


def test_some_calls_are_known_while_they_go_on(told: Told) -> None:
    callers = [row["note"]["victim_number"] for row in told.of("app_case") if "victim_number" in row["note"]]
    starts = told.telecoms.filter((pl.col("phase") == "start") & pl.col("number").is_in(callers))
    assert starts.height >= 1
    assert starts["duration_s"].is_null().all()


def test_investment_and_romance_frauds_are_series(told: Told) -> None:
    series = [row for row in told.of("app_case") if row["typology"] in ("app_investment", "app_romance")]
    single = told.of("app_case", "app_purchase")
    assert max(row["note"]["payments"] for row in series) >= 3
    assert all(row["note"]["payments"] == 1 for row in single)
    assert all(len(set(row["note"]["payees"])) == 1 for row in series)


def test_reports_name_payments_and_recalls_follow(told: Told) -> None:
    reported = told.labels.filter(pl.col("origin") == "customer", pl.col("typology").str.starts_with("app_"))
    assert reported.height >= 3
    known = {f"event:{i}" for i in told.payments["event_id"]}
    assert set(reported["about"]) <= known
    assert (reported["label"] == "confirmed").all()
    recalled = told.payments.filter(pl.col("status").is_in(["recalled", "returned"]))
    assert recalled.height >= 3
    assert set(recalled["status_reason"]) <= {"FRAD", "FOCR"}
    paid = set(told.payments.filter(pl.col("status") == "accepted")["payment_id"])
    assert set(recalled["payment_id"]) <= paid


def test_some_mule_accounts_are_never_alerted(told: Told) -> None:
    silent = {a for row in told.of("mule_network") for a in row["note"].get("never_alerted", [])}
    assert silent
    labelled = {about for about in told.labels["about"] if about.startswith("account:")}
    assert not {f"account:{a}" for a in silent} & labelled


def test_a_network_goes_on_without_the_accounts_that_banks_block(told: Told) -> None:
    networks = told.of("mule_network")
    shared = [account for row in networks for account in row["accounts"]]
    hit = [row for row in networks if row["note"].get("blocked")]
    assert len(hit) >= 3
    refused = told.payments.filter((pl.col("status") == "rejected") & (pl.col("status_reason") == "AC06"))
    assert refused.height >= 3
    goes_on = 0
    for row in hit:
        lost = {account: BEGIN + timedelta(days=day) for account, day in row["note"]["blocked"].items()}
        ours = told.payments.filter(
            (pl.col("status") == "accepted") & pl.col("payer_account").is_in(row["accounts"])
        )
        others = ours.filter(~pl.col("payer_account").is_in(list(lost)) & (pl.col("ts") > min(lost.values())))
        goes_on += others.height > 0
        for account, day in lost.items():
            if shared.count(account) > 1:  # another network uses it too
                continue
            passed = told.payments.filter(
                (pl.col("payee_account") == account)
                & (pl.col("payer_account").is_in(row["accounts"]))
                & (pl.col("ts") > day + timedelta(hours=1))
                & (pl.col("status") == "accepted")
            )
            assert passed.height == 0, (row["id"], account)
    assert goes_on >= 1


def test_mules_pass_the_money_on_within_minutes_over_two_to_five_layers(told: Told) -> None:
    dwell, networks = [], told.of("mule_network")
    for row in networks:
        assert 2 <= row["note"]["depth"] <= 5
        roles = set(row["note"]) & {"complicit", "deceived", "coerced"}
        assert roles
        for account in row["note"]["first_layer"]:
            money_in = told.payments.filter((pl.col("payee_account") == account) & (pl.col("rail") == "fps"))
            money_out = told.payments.filter(
                (pl.col("payer_account") == account) & (pl.col("rail").is_in(["fps", "cash_withdrawal"]))
            )
            for at in money_in["ts"]:
                after = money_out.filter(pl.col("ts") > at)["ts"]
                if len(after):
                    dwell.append((after.min() - at).total_seconds() / 60)
    assert len(dwell) >= 10
    assert 1 < float(np.median(dwell)) < 120


def test_a_takeover_goes_from_sim_to_reset_to_payment_within_three_days(told: Told) -> None:
    complete = 0
    for row in told.of("takeover", "sim_swap_takeover"):
        number, account = row["numbers"][0], row["accounts"][0]
        swap = told.telecoms.filter((pl.col("kind") == "sim_change") & (pl.col("number") == number)).sort(
            "ts"
        )
        assert swap.height >= 1
        began = swap["ts"][0]
        events = told.accounts.filter((pl.col("account") == account) & (pl.col("ts") > began))
        reset = events.filter(pl.col("kind") == "credential_reset")
        paid = told.payments.filter(
            (pl.col("payer_account") == account) & (pl.col("payee_account") == row["accounts"][1])
        )
        if reset.height and paid.height:
            first = paid["ts"].min()
            assert began < reset["ts"].min() < first  # type: ignore[operator]
            assert first - began < timedelta(hours=72)
            assert {"device_added", "payee_added"} <= set(events["kind"])
            complete += 1
    assert complete >= 2


def test_the_banks_codes_go_to_the_thiefs_handset(told: Told) -> None:
    for row in told.of("takeover", "sim_swap_takeover")[:1]:
        number = row["numbers"][0]
        swap = told.telecoms.filter((pl.col("kind") == "sim_change") & (pl.col("number") == number)).sort(
            "ts"
        )
        codes = told.telecoms.filter(
            (pl.col("number") == number)
            & (pl.col("other_kind") == "alphanumeric")
            & pl.col("event_id").is_in(row["event_ids"])
        )
        assert (codes["imsi"] == swap["imsi"][0]).all()


def test_card_testing_tries_many_cards_at_one_merchant_and_most_are_refused(told: Told) -> None:
    for row in told.of("card_ring", "card_testing"):
        tests = told.payments.filter(
            pl.col("merchant_id").is_in(row["note"]["merchants"])
            & pl.col("device_id").is_in(row["note"]["devices"])
            & (pl.col("amount_minor") < 2_000)
        )
        assert tests["card"].n_unique() >= 10
        assert float((tests["status"] == "rejected").mean()) > 0.4  # type: ignore[arg-type]
        assert float(tests["amount_minor"].median()) < 800  # type: ignore[arg-type]


def test_a_stolen_card_is_used_without_the_card(told: Told) -> None:
    known = {row["event_id"]: row for row in told.payments.iter_rows(named=True)}
    found = 0
    for row in told.of("card_ring", "card_not_present"):
        mine = [known[i] for i in row["event_ids"] if i in known]
        assert all(p["entry_mode"] == "ecommerce" and p["card"] == row["note"]["card"] for p in mine)
        found += bool(mine)
    assert found >= 4


# ---- telecoms fraud ----------------------------------------------------------------------------------------------


def test_wangiri_rings_once_and_some_call_back(told: Told) -> None:
    for row in told.of("wangiri"):
        rung = told.telecoms.filter(
            pl.col("other_number").is_in(row["numbers"]) & (pl.col("direction") == "mt")
        )
        back = told.telecoms.filter(
            pl.col("other_number").is_in(row["numbers"]) & (pl.col("direction") == "mo")
        )
        assert rung.filter(pl.col("phase") != "start")["answered"].not_().all()
        assert rung["number"].n_unique() > 100
        assert 0 < back["number"].n_unique() < rung["number"].n_unique()


def test_revenue_share_is_long_calls_to_a_few_numbers(told: Told) -> None:
    for row in told.of("revenue_share"):
        calls = told.telecoms.filter(
            pl.col("number").is_in(row["numbers"])
            & pl.col("other_number").is_in(row["numbers"])
            & (pl.col("duration_s") > 30)
        )
        if calls.height:
            assert float(calls["duration_s"].median()) > 120  # type: ignore[arg-type]
    exchange = told.of("revenue_share", "pbx_hacking")[0]
    night = told.telecoms.filter(
        pl.col("number").is_in(exchange["numbers"]) & pl.col("other_number").is_in(exchange["numbers"])
    )["ts"]
    hours = night.dt.hour().to_numpy()
    weekend = night.dt.weekday().to_numpy() >= 6
    assert ((hours < 8) | (hours >= 17) | weekend).mean() > 0.8


def test_a_sim_box_has_many_sims_at_one_place_that_only_ring_out(told: Told) -> None:
    for row in told.of("sim_box"):
        out = told.telecoms.filter(
            pl.col("number").is_in(row["numbers"])
            & (pl.col("direction") == "mo")
            & (pl.col("kind") == "call")
        )
        into = told.telecoms.filter(pl.col("number").is_in(row["numbers"]) & (pl.col("direction") == "mt"))
        assert out.height > 5 * into.height
        assert out["number"].n_unique() >= out["imei"].n_unique()
        assert out["cell"].n_unique() <= 3


def test_a_smishing_farm_texts_strangers_and_hardly_anybody_answers(told: Told) -> None:
    for row in told.of("smishing"):
        texts = sent(told, row["numbers"])
        back = told.telecoms.filter(pl.col("number").is_in(row["numbers"]) & (pl.col("direction") == "mt"))
        assert texts.height > 100
        assert back.height < 0.02 * texts.height


def test_spoofed_calls_come_from_abroad_under_a_british_number(told: Told) -> None:
    for row in told.of("cli_spoofing"):
        calls = told.telecoms.filter(pl.col("network_number").is_in(row["numbers"]))
        assert calls.height > 50
        assert set(calls["ingress"]) == {"international"}
        assert (calls["other_number"] != calls["network_number"]).all()


def test_false_contracts_share_an_address_and_ring_abroad_at_once(told: Told) -> None:
    for row in told.of("subscription_fraud"):
        links = told.links.filter(pl.col("a").is_in([f"number:{n}" for n in row["numbers"]]))
        assert links["b"].n_unique() <= len(
            row["note"].get("phases", [row])
        )  # one for each time they began anew
        own = told.telecoms.filter(pl.col("number").is_in(row["numbers"]) & (pl.col("kind") == "call"))
        assert own.height > 5
