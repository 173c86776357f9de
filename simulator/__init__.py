"""A made-up England and Wales: people, crimes and innocent look-alikes, with the truth kept apart."""
