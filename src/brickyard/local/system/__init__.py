"""System tables: what really happened in the local workspace, as Delta tables of catalog `system`."""
