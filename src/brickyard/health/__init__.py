"""Build the gold layer over the system tables from contracts, and tell what it says: costs that tie out, and health."""
