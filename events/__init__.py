"""What came in: contract records and frames, readers, tokens at the door, the sequencer and its ledger."""
