"""How often Spark Connect's client repeats a lost call: never, since an engine on loopback that is gone is gone."""

from __future__ import annotations

from pyspark.sql.connect.client.retries import RetryPolicy


class Never(RetryPolicy):
    """Repeats nothing."""

    def can_retry(self, exception: BaseException) -> bool:
        """No."""
        return False
