"""`spark` of a pipeline: names of its own datasets are theirs, and a stream reads what its flow has not read yet."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pyspark.sql.types import StructType

from brickyard.local.kernel.spark import Session
from brickyard.local.pipelines.sources import Source, sources

_SETTING = re.compile(r"\$\{\s*([\w.\-]+)\s*\}")


class Datasets(Protocol):
    """What the session asks the update."""

    def relation(self, name: str) -> str | None:
        """What SQL is to read for a name of the pipeline's own, None for a name of somebody else's."""
        ...

    def increment(self, name: str, options: Mapping[str, str]) -> Any:
        """The rows of a source that the flow at work has not read yet."""
        ...


class PipelineSession(Session):
    """A notebook's session that knows the datasets of its pipeline."""

    datasets: Datasets | None = None
    declare: Callable[[str, Callable[[str], Any]], bool] | None = None

    def __init__(self, workspace: Any) -> None:
        super().__init__(workspace)
        self.settings: dict[str, str] = {}

    @property
    def conf(self) -> Any:
        """The session's settings, the pipeline's configuration on top."""
        return Settings(super().conf, self.settings)

    def sql(self, sqlQuery: str, args: Any = None, **kwargs: Any) -> Any:  # noqa: N803 - Spark's spelling
        """Run one statement, the pipeline's own datasets put where it names them."""
        text = _SETTING.sub(lambda found: self.settings.get(found[1], found[0]), sqlQuery)
        if self.declare is not None and self.declare(text, lambda query: self.sql(query, args)):
            return self.createDataFrame([], StructType([]))
        return self.plain(self._with_own(text, kwargs), args, **kwargs)

    def plain(self, text: str, args: Any = None, **named: Any) -> Any:
        """Run one statement as it is."""
        return super().sql(text, args, **named)

    def read_arrow(self, encoded: str) -> Any:
        """The rows that the workspace sent."""
        return self.told(encoded)

    @property
    def readStream(self) -> Any:  # noqa: N802 - Spark's spelling
        """Read the rows of a table that the flow at work has not read yet."""
        return StreamReader(self._increment)

    def _increment(self, name: str, options: Mapping[str, str]) -> Any:
        if self.datasets is None:
            raise RuntimeError("A stream is read by the flows of a pipeline only.")
        return self.datasets.increment(name, options)

    def _with_own(self, text: str, named: Mapping[str, Any]) -> str:
        if self.datasets is None or named:
            return text
        for source in reversed(sources(text)):
            own = self._own(source)
            text = text if own is None else source.replaced(text, own)
        return text

    def _own(self, source: Source) -> str | None:
        if source.streamed:
            return self.view(self._increment(source.name, {}))
        return None if self.datasets is None else self.datasets.relation(source.name)

    def view(self, frame: Any) -> str:
        """Give a DataFrame a name that SQL can read, once and for all."""
        name = f"_flow_{uuid.uuid4().hex}"
        frame.createOrReplaceTempView(name)
        return name


class Settings:
    """`spark.conf`: the pipeline's configuration, then the session's own settings."""

    def __init__(self, session: Any, own: dict[str, str]) -> None:
        self._session = session
        self._own = own

    def get(self, key: str, *default: Any) -> Any:
        """A setting, the default, or Spark's own error."""
        return self._own[key] if key in self._own else self._session.get(key, *default)

    def set(self, key: str, value: Any) -> None:
        """Change a setting for the rest of the update."""
        self._own[key] = str(value).lower() if isinstance(value, bool) else str(value)

    def unset(self, key: str) -> None:
        """Forget a setting."""
        self._own.pop(key, None)


class StreamReader:
    """`spark.readStream`: options, then a table."""

    def __init__(self, increment: Callable[[str, Mapping[str, str]], Any]) -> None:
        self._increment = increment
        self._options: dict[str, str] = {}

    def option(self, key: str, value: Any) -> StreamReader:
        """Set an option."""
        self._options[key.lower()] = str(value).lower() if isinstance(value, bool) else str(value)
        return self

    def options(self, **options: Any) -> StreamReader:
        """Set options."""
        for key, value in options.items():
            self.option(key, value)
        return self

    def format(self, source: str) -> StreamReader:
        """Name the format; a table is Delta."""
        self._options["format"] = source.lower()
        return self

    def table(self, tableName: str) -> Any:  # noqa: N803 - Spark's spelling
        """Read a table."""
        return self._increment(tableName, self._options)
