"""Every number has a proper name, and the pages say what is so, in one process and in several."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring import metrics, processes
from monitoring.errors import MonitoringError
from monitoring.exposition import Exposition, what_it_waits_for

UNITS = ("_seconds", "_bytes", "_total", "_info", "_entities", "_ratio")
WITHOUT_UNIT = {"linewatch_ready", "linewatch_paused", "linewatch_supervisor_paused", "linewatch_epoch"}
WITHOUT_UNIT |= {"linewatch_fairness_share", "linewatch_fairness_alarms"}


@pytest.fixture
def ready() -> Iterator[None]:
    metrics.PAUSED.clear()
    metrics.READY.set(1)
    yield
    metrics.PAUSED.clear()
    metrics.READY.set(0)


def _get(url: str, accept: str = "") -> tuple[int, str, str]:
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as problem:
        return problem.code, problem.headers["Content-Type"], problem.read().decode()


@pytest.mark.parametrize("declared", metrics.ALL, ids=lambda declared: declared.name)
def test_a_name_has_the_prefix_and_its_unit_last(declared: metrics.Declared) -> None:
    assert re.fullmatch(r"linewatch_[a-z]+(_[a-z]+)*", declared.name)
    assert declared.name.endswith(UNITS) or declared.name in WITHOUT_UNIT
    assert (declared.kind == "counter") == declared.name.endswith("_total")
    assert declared.words


def test_names_are_given_once() -> None:
    names = [declared.name for declared in metrics.ALL]
    assert len(names) == len(set(names))


def test_latency_is_told_from_a_millisecond_to_minutes() -> None:
    assert metrics.LATENCY_BUCKETS[0] == 0.001
    assert metrics.LATENCY_BUCKETS[-1] >= 300
    assert list(metrics.LATENCY_BUCKETS) == sorted(set(metrics.LATENCY_BUCKETS))


def test_the_page_tells_what_was_counted(ready: None) -> None:
    metrics.EVENTS.labels(stream="made-up").inc(41)
    metrics.ALERTS.labels(detector="made_up", campus="NW", what="raised").inc()
    metrics.EVENT_TO_ALERT_SECONDS.labels(detector="made_up").observe(0.004)
    with Exposition(port=0) as served:
        status, kind, body = _get(f"{served.url}/metrics")
    assert status == 200
    assert kind.startswith("text/plain")
    assert 'linewatch_events_total{stream="made-up"} 41.0' in body
    assert 'linewatch_alerts_total{campus="NW",detector="made_up",what="raised"} 1.0' in body
    assert 'linewatch_event_to_alert_seconds_bucket{detector="made_up",le="0.005"} 1.0' in body


def test_open_metrics_has_one_end(ready: None) -> None:
    with Exposition(port=0) as served:
        _, kind, body = _get(f"{served.url}/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert body.count("# EOF") == 1
    assert body.endswith("# EOF\n")


def test_ready_says_no_while_it_waits_and_yes_when_it_goes_on(ready: None) -> None:
    with Exposition(port=0) as served:
        assert _get(f"{served.url}/readyz")[0] == 200
        metrics.pause("disk full")
        status, _, body = _get(f"{served.url}/readyz")
        assert status == 503
        assert json.loads(body) == {"ready": False, "waits_for": ["disk full"]}
        metrics.go_on("disk full")
        assert _get(f"{served.url}/readyz")[0] == 200


def test_it_is_ready_only_when_every_reason_to_wait_is_over(ready: None) -> None:
    metrics.pause("disk full")
    metrics.pause("store down")
    metrics.go_on("disk full")
    assert what_it_waits_for() == ["store down"]
    metrics.go_on("store down")
    assert what_it_waits_for() == []


def test_it_is_not_ready_before_it_says_so() -> None:
    metrics.READY.set(0)
    assert what_it_waits_for() == ["starting or stopping"]


def test_health_and_unknown_pages_answer() -> None:
    with Exposition(port=0) as served:
        assert _get(f"{served.url}/healthz")[::2] == (200, "ok\n")
        assert _get(f"{served.url}/else")[0] == 404


def test_a_taken_port_is_said_with_what_to_do() -> None:
    with Exposition(port=0) as served, pytest.raises(MonitoringError, match="Choose another port"):
        Exposition(port=served.port)


WORKER = """
import sys
from monitoring import metrics
metrics.EVENTS.labels(stream="payments").inc(int(sys.argv[1]))
metrics.STATE_ENTITIES.labels(entity="account").set(int(sys.argv[1]))
metrics.READY.set(1)
if sys.argv[2] == "paused":
    metrics.pause("store down")
print("set", flush=True)
sys.stdin.read()
"""


def _worker(environment: dict[str, str], events: int, state: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(events), state],
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "set\n"
    return process


def test_several_processes_are_summed_and_an_ended_one_keeps_its_counts(tmp_path: Path) -> None:
    folder = tmp_path / "numbers"
    environment = processes.prepare(folder)
    workers = [_worker(environment, 40, "well"), _worker(environment, 2, "paused")]
    try:
        metrics.RESTARTS.labels(process="1").inc()
        with Exposition(port=0, folder=folder) as served:
            body = _get(f"{served.url}/metrics")[2]
            assert 'linewatch_events_total{stream="payments"} 42.0' in body
            assert 'linewatch_state_entities{entity="account"} 42.0' in body
            assert body.count('linewatch_restarts_total{process="1"}') == 1
            assert json.loads(_get(f"{served.url}/readyz")[2])["waits_for"] == ["store down"]
            ended = workers.pop()
            ended.communicate()
            processes.forget(folder, ended.pid)
            body = _get(f"{served.url}/metrics")[2]
            assert 'linewatch_events_total{stream="payments"} 42.0' in body
            assert 'linewatch_state_entities{entity="account"} 40.0' in body
            assert _get(f"{served.url}/readyz")[0] == 200
    finally:
        for worker in workers:
            worker.communicate()


def test_preparing_starts_from_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "numbers"
    processes.prepare(folder)
    (folder / "counter_1.db").write_bytes(b"old")
    processes.prepare(folder)
    assert list(folder.iterdir()) == []
