"""Engines: what executes SQL that the router has rewritten. Sail, in a child process, is the one that is built."""
