"""Statements that matter to us, with the answers that real Spark with Delta gave (`answers/`, made by `record.py`)."""
