"""What is there: recipients, shares, sources, pipelines and schedules, read from Databricks.

What cannot be read is an error with Databricks' own words; only its own "does not exist" of that very thing is absence.
"""

from __future__ import annotations

from brickyard.share.observe.present import current
from brickyard.share.observe.whole import Existing, Metastore, existing_names, metastore

__all__ = ["Existing", "Metastore", "current", "existing_names", "metastore"]
