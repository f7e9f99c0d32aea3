"""What the Python of a notebook may name: its strings evaluated, each character knowing where it was written."""
