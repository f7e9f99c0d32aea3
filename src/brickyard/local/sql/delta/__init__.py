"""Delta tables as files: reading the log, committing to it, and the operations that the engine does not have."""
