"""What every gold table must hold, found without the engine: from the synthetic account's own rows, without SQL.

`truth(account, at)` tells what a reader of the account knows at an instant; nothing here imports the engine, so that an
error of the engine cannot be an error of its oracle as well.
"""

from __future__ import annotations

from brickyard.health.oracle.telling import Truth, truth

__all__ = ["Truth", "truth"]
