"""What Brickyard remembers, in PostgreSQL: transactions, migrations and the audit trail."""

from brickyard.metadata.database import METADATA, Metadata

__all__ = ["METADATA", "Metadata"]
