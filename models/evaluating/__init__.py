"""Evaluation: alerts held against the truth of a made-up world. No flow reads any of it."""
