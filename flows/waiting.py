"""Waiting for a tick: packets are held until all of it is there and the tick before it is done."""

from typing import Generic, TypeVar

from flows.errors import FlowError
from flows.split import Expect

Packet = TypeVar("Packet")


class Waiting(Generic[Packet]):
    """Holds the packets of ticks that are not yet whole. Between two epochs it holds nothing."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.had = -1
        self._open: dict[int, list[Packet]] = {}
        self._expected: list[Expect] = []

    def expect(self, expected: Expect) -> list[tuple[int, list[Packet]]]:
        """Be told what to wait for; gives the ticks that are whole now."""
        self._expected.append(expected)
        return self._whole()

    def take(self, tick: int, packet: Packet) -> list[tuple[int, list[Packet]]]:
        """Take a packet; gives the ticks that are whole now."""
        self._open.setdefault(tick, []).append(packet)
        return self._whole()

    def _whole(self) -> list[tuple[int, list[Packet]]]:
        whole = []
        while self._expected:
            expected = self._expected[0]
            have = len(self._open.get(expected.tick, []))
            if have > expected.count:
                raise FlowError(
                    f"the {self.what} got {have} packets of tick {expected.tick}, not {expected.count}"
                )
            if have < expected.count:
                break
            if expected.before != self.had:
                raise FlowError(f"the {self.what} had tick {self.had} last and was told {expected.before}")
            self._expected.pop(0)
            self.had = expected.tick
            whole.append((expected.tick, self._open.pop(expected.tick, [])))
        return whole
