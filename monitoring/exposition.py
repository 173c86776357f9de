"""The page that Prometheus reads, and two short answers: does it live, is it ready.

`/metrics` gives the numbers, `/healthz` says that the process answers, `/readyz` says whether the flow takes events
and, if not, why (status 503). It listens on this machine only unless told otherwise; it has no sign-in and tells
nothing about any person.
"""

import json
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from prometheus_client import CollectorRegistry, Metric, multiprocess
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from monitoring import metrics
from monitoring.errors import MonitoringError

HERE: Final = "127.0.0.1"
_PAUSES: Final = ("linewatch_paused", "linewatch_supervisor_paused")


class Numbers(Collector):
    """All the numbers: those of this process, or the sum over the folder that several processes write to."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Each metric with its values now."""
        if self._folder is None:
            yield from metrics.WORKERS.collect()
        else:
            summed = CollectorRegistry()
            multiprocess.MultiProcessCollector(summed, path=str(self._folder))  # type: ignore[no-untyped-call]
            yield from summed.collect()
        yield from metrics.SUPERVISOR.collect()


def what_it_waits_for(folder: Path | None = None) -> list[str]:
    """Why the flow is not ready; empty when it is."""
    ready: float | None = None
    reasons: list[str] = []
    for sample in (sample for family in Numbers(folder).collect() for sample in family.samples):
        if sample.name == "linewatch_ready":
            ready = sample.value
        elif sample.name in _PAUSES and sample.value:
            reasons.append(sample.labels["reason"])
    if reasons:
        return sorted(reasons)
    return [] if ready else ["starting or stopping"]


class Exposition:
    """A small web server in a thread of its own.

    >>> with Exposition(port=0) as served:
    ...     served.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(self, port: int, address: str = HERE, folder: Path | None = None) -> None:
        """Listen at once: port 0 takes any free port; the folder is that of several processes.

        Raises:
            MonitoringError: the port is taken or not allowed.
        """
        try:
            self._server = ThreadingHTTPServer((address, port), _answers(folder))
        except OSError as problem:
            raise MonitoringError(
                f"Metrics cannot be served on {address}:{port} ({problem.strerror}). "
                "Choose another port, or 0 for any that is free."
            ) from problem
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url: str = f"http://{'127.0.0.1' if address in {'', '0.0.0.0'} else address}:{self.port}"  # noqa: S104
        self._thread = threading.Thread(target=self._server.serve_forever, name="exposition", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _answers(folder: Path | None) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        """One request."""

        server_version = "linewatch"
        sys_version = ""

        def do_GET(self) -> None:
            """Answer with the numbers, with health, or with readiness."""
            path = self.path.split("?", 1)[0].rstrip("/") or "/"
            if path == "/metrics":
                encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                self._send(HTTPStatus.OK, encode(Numbers(folder)), content_type)
            elif path == "/healthz":
                self._send(HTTPStatus.OK, b"ok\n", "text/plain; charset=utf-8")
            elif path == "/readyz":
                reasons = what_it_waits_for(folder)
                status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
                body = json.dumps({"ready": not reasons, "waits_for": reasons}).encode() + b"\n"
                self._send(status, body, "application/json")
            else:
                self._send(
                    HTTPStatus.NOT_FOUND, b"try /metrics, /healthz or /readyz\n", "text/plain; charset=utf-8"
                )

        do_HEAD = do_GET  # noqa: N815 - the base class looks for this name

        def _send(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a scrape every few seconds is no news."""

    return Answer
