"""Evaluation in one place: read truth, read alerts, measure."""

from models.evaluating.measures import CAPACITY, GRACE_HOURS, evaluate
from models.evaluating.money import Money, measure_money
from models.evaluating.published import Quiet, read_quiet
from models.evaluating.raised import Declared, Raised, raised_of, read_alert
from models.evaluating.result import SCHEMA, Result, to_json, to_plain
from models.evaluating.truth import Row, World, read_truth, read_world, read_written

__all__ = [
    "CAPACITY", "GRACE_HOURS", "SCHEMA", "Declared", "Money", "Quiet", "Raised", "Result", "Row", "World",
    "evaluate", "measure_money", "raised_of", "read_alert", "read_quiet", "read_truth", "read_world", "read_written", "to_json", "to_plain",
]  # fmt: skip
