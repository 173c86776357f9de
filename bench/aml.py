"""How well the account and graph features tell laundering on third-party data, one payment at a time.

    python -m bench.aml amlgentex FOLDER/tx_log.parquet
    python -m bench.aml amlsim-20k FOLDER/20K_fanin200cycle200_transactions.parquet --no-amounts

The data goes the way all data goes: through its import map, the door, the one order and both passes, every transfer
between accounts as an edge into the graph of payments. What was known of each transfer at that moment is then given to
a gradient boosting. Split 60/20/20 by time: fitted on the first part, its size chosen on the second, told of the third
once. No label is a feature. The data is not ours to hand on: bring the files.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score

from bench.machine import machine
from bench.watched import Options, sequencer_of, settings_of
from detectors.network import NetworkDetector
from events.importing.importer import import_file
from events.importing.maps import shipped_maps
from features.declared import CATALOGUE
from features.network_graph import PaymentGraph
from features.rows import TRANSFERS, Entity, Role, Rows
from flows.dataflow import plan_of
from flows.edges import Edges
from flows.first_pass import FirstPass
from flows.networks import NetworkScorer
from flows.second_pass import SecondPass
from flows.split import Splitter
from models.scorecard import Signal

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SIZES: Final = ((100, 8), (200, 8), (200, 12), (400, 12), (300, 20))
"""Trees and leaves of each that are tried on the second part."""
_RESAMPLED: Final = 500
_SAME: Final = 10_000
_BALANCES: Final = ("payer_balance_minor", "payee_balance_minor")

_OWN: Final = tuple(f.name for f in CATALOGUE.of(Entity.ACCOUNT))
_OTHERS: Final = tuple(f"other.{f.name}" for f in CATALOGUE.of(Entity.ACCOUNT, second_pass=False))


class Everything(NetworkDetector):
    """Lets every transfer through with all that is known of both accounts."""

    id = "aml"
    title = "Everything that is known of a transfer"
    version = 1
    status = "experimental"
    threat = "fraud"
    typology = "mule_network"
    stream = "payments"
    subject = Entity.ACCOUNT
    four_p = "pursue"
    edge = pl.col("row.kind").is_in([int(k) for k in TRANSFERS]) & (pl.col("row.role") == int(Role.PAYER))
    carries = (*_OWN, *_OTHERS)
    # steps are whole days: money is passed on within days, and a week is short
    network = (PaymentGraph(dwell="3d", window="14d"),)
    gate = pl.lit(value=True)
    signals = (Signal("graph.chain_24h", 1, 4, 1.0),)
    intercept = 0.0
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 1.0
    harm: ClassVar[dict[str, int]] = {"financial": 1}
    misses = "It judges nothing."
    innocent = ("Everybody.",)
    runbook = ("None.", "None.")


def passed(inputs: dict[str, str], folder: Path) -> Iterator[tuple[Edges, pl.Series]]:
    """The transfers of each tick, with what both passes know, and their events' ids."""
    options = Options(inputs=inputs, folder=str(folder), shards=1)
    plan = plan_of([Everything])
    splitter, first, second = (
        Splitter(1, plan.reach),
        FirstPass(plan, 0, 1),
        SecondPass(plan, (Everything,), 0),
    )
    sequencer = sequencer_of(options, settings_of(options))
    while not sequencer.finished:
        tick = sequencer.next_tick()
        if tick is None:
            continue
        split = splitter.split(tick, 0.0)
        done = []
        for share in split.shares.values():
            for halves in first.take(share).values():
                done += second.take(halves)
        for expected in split.second.values():
            done += second.expect(expected)
        for by_shard in done:
            for scored in by_shard.values():
                for edges in scored.edges.values():
                    yield edges, split.ids.event_id.gather(edges.rows["seq"] - split.ids.first_seq)
    sequencer.close()


def known(inputs: dict[str, str], folder: Path) -> tuple[Floats, list[str], list[str], Rows]:
    """Everything known of each transfer between two accounts, its event's id, the columns' names, and the rows.

    Raises:
        SystemExit: there is no such transfer.
    """
    scorer = NetworkScorer(Everything, "synthetic")
    values, ids, rows = [], [], []
    for edges, names in passed(inputs, folder):
        between = (edges.rows["other_lo"] != 0) | (edges.rows["other_hi"] != 0)
        told, _ = scorer.take(edges)
        values.append(told[between])
        ids += names.filter(pl.Series(between)).to_list()
        rows.append(edges.rows[between])
    if not ids:
        raise SystemExit("no row became a transfer between two accounts: nothing can be told")
    return np.concatenate(values), ids, list(scorer.places), np.concatenate(rows)


def speed(rows: Rows) -> float:
    """Transfers a second through the graph alone, one at a time in effect: nothing looks ahead."""
    (declared,) = Everything.network
    declared.begin().take(rows[:100], {})  # compiled by now
    state, started = declared.begin(), time.process_time()
    state.take(rows, {})
    return len(rows) / (time.process_time() - started)


def measured(values: Floats, labels: Bools) -> dict[str, Any]:
    """Average precision of the third part, of the model chosen on the second; with an interval."""
    first, second = _cuts(labels)
    told = [
        c
        for c in range(values.shape[1])
        if len(np.unique(values[:first, c][~np.isnan(values[:first, c])])) > 1
    ]
    values = values[:, told]
    best: tuple[float, Any, tuple[int, int]] | None = None
    for trees, leaves in SIZES:
        model = HistGradientBoostingClassifier(
            max_iter=trees, max_leaf_nodes=leaves, learning_rate=0.06, min_samples_leaf=30,
            l2_regularization=1.0, early_stopping=False, random_state=0,
        ).fit(values[:first], labels[:first])  # fmt: skip
        reached = average_precision_score(labels[first:second], _scores(model, values[first:second]))
        if best is None or reached > best[0]:
            best = (float(reached), model, (trees, leaves))
    assert best is not None
    reached, model, size = best
    threshold = _threshold(labels[first:second], _scores(model, values[first:second]))
    truth, scores = labels[second:], _scores(model, values[second:])
    return {
        "columns": len(told),
        "trees, leaves": size,
        "average_precision_second": round(reached, 3),
        "average_precision": round(float(average_precision_score(truth, scores)), 3),
        "interval_95": _interval(truth, scores),
        "auc": round(float(roc_auc_score(truth, scores)), 3),
        "f1": round(float(f1_score(truth, scores >= threshold)), 3),
        "laundering_in_third": int(truth.sum()),
    }


def _cuts(labels: Bools) -> tuple[int, int]:
    """Where the second and the third part begin."""
    return int(0.6 * len(labels)), int(0.8 * len(labels))


def _scores(model: Any, values: Floats) -> Floats:
    scores: Floats = model.predict_proba(values)[:, 1]
    return scores


def _threshold(labels: Bools, scores: Floats) -> float:
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    return float(thresholds[int(np.argmax(f1[:-1]))])


def _interval(labels: Bools, scores: Floats) -> tuple[float, float]:
    """Resampled transfers, 2.5 and 97.5 per cent."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(_RESAMPLED):
        chosen = rng.integers(0, len(labels), len(labels))
        if labels[chosen].any():
            found.append(average_precision_score(labels[chosen], scores[chosen]))
    low, high = np.quantile(found, [0.025, 0.975])
    return round(float(low), 3), round(float(high), 3)


def imported(name: str, source: Path, folder: Path, *, amounts: bool) -> tuple[Path, frozenset[str]]:
    """A file's payments as records of the contract, and the ids of those that are labelled as laundering.

    Raises:
        SystemExit: the map yields no payments, or no label about one of them.
    """
    out = folder / "events"
    out.mkdir()
    paths = {each.name: each.path for each in shipped_maps()}
    summary = import_file(paths.get(name, Path(name)), source, out, out_format="parquet")
    outputs = summary.outputs
    if summary.refused:
        print(
            f"{sum(summary.refused.values())} of {summary.rows_in} rows were refused: {summary.refused}",
            file=sys.stderr,
        )
    if missing := {"payments", "labels"} - outputs.keys():
        raise SystemExit(f"the map {name} yields no {' and no '.join(sorted(missing))}; both are needed here")
    told = pl.read_parquet(outputs["labels"]).filter(pl.col("label") == "confirmed")["about"]
    guilty = frozenset(told.filter(told.str.starts_with("event:")).str.strip_prefix("event:").to_list())
    if not guilty:
        raise SystemExit(
            f"the map {name} yields no label 'confirmed' about 'event:…' with a payment's event_id; "
            "laundering is told payment by payment here"
        )
    if amounts:
        return outputs["payments"], guilty
    same = folder / "same.parquet"  # where amounts give the laundering away, all are the same
    pl.scan_parquet(outputs["payments"]).with_columns(amount_minor=pl.lit(_SAME, pl.Int64)).drop(
        _BALANCES, strict=False
    ).sink_parquet(same)
    return same, guilty


def run(name: str, source: Path, *, amounts: bool = True) -> dict[str, Any]:
    """Everything measured of one data set."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        payments, guilty = imported(name, source, folder, amounts=amounts)
        values, ids, columns, rows = known({"payments": str(payments)}, folder)
    labels = np.array([event in guilty for event in ids])
    if not all(part.any() for part in np.split(labels, _cuts(labels))):
        raise SystemExit(
            "one of the three parts of the time has no laundering in it: nothing can be told of it"
        )
    graph = [i for i, column in enumerate(columns) if column.startswith("graph.")]
    accounts = [i for i, column in enumerate(columns) if not column.startswith("graph.")]
    return {
        "data": name,
        "transfers": len(labels),
        "laundering": int(labels.sum()),
        "laundering_not_among_transfers": len(guilty) - int(labels.sum()),
        "amounts": amounts,
        "sets": {
            "graph": measured(values[:, graph], labels),
            "accounts": measured(values[:, accounts], labels),
            "accounts and graph": measured(values, labels),
        },
        "graph_transfers_per_second": round(speed(rows)),
        "machine": machine(),
    }


def main(arguments: list[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.aml", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("name", help="the import map: the name of a shipped one, or a file")
    parser.add_argument("source", type=Path, help="the file")
    parser.add_argument("--no-amounts", action="store_true", help="give every transfer the same amount")
    given = parser.parse_args(arguments)
    print(json.dumps(run(given.name, given.source, amounts=not given.no_amounts), indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
