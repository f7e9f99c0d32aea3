"""Widgets of a notebook: the parameters of the run lie over the defaults that the notebook declares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager


class InputWidgetNotDefined(Exception):
    """A widget was read that neither the notebook nor the run defines."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No input widget named {name} is defined")


class Widgets:
    """`dbutils.widgets`."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self._parameters = dict(parameters)
        self._defaults: dict[str, str] = {}

    def text(self, name: str, defaultValue: str, label: str | None = None) -> None:  # noqa: N803 - Databricks' spelling
        """Declare a text widget."""
        self._defaults.setdefault(name, _text(defaultValue))

    def dropdown(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:  # noqa: N803
        """Declare a widget with a fixed list of values; the default must be one of them."""
        if _text(defaultValue) not in [_text(choice) for choice in choices]:
            raise ValueError(f"The default value {defaultValue!r} of widget {name} is not among its choices.")
        self._defaults.setdefault(name, _text(defaultValue))

    def combobox(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:  # noqa: N803
        """Declare a widget with proposals."""
        self._defaults.setdefault(name, _text(defaultValue))

    def multiselect(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:  # noqa: N803
        """Declare a widget with several values, read as one text joined by commas."""
        self.dropdown(name, defaultValue, choices, label)

    def get(self, name: str) -> str:
        """The value of a widget."""
        if name in self._parameters:
            return self._parameters[name]
        if name in self._defaults:
            return self._defaults[name]
        raise InputWidgetNotDefined(name)

    def getArgument(self, name: str, defaultValue: str | None = None) -> str:  # noqa: N802, N803 - Databricks' spelling
        """The value of a widget, the default given here when there is no such widget."""
        values = self.getAll()
        if name not in values and defaultValue is not None:
            return _text(defaultValue)
        return self.get(name)

    def getAll(self) -> dict[str, str]:  # noqa: N802 - Databricks' spelling
        """All widgets and their values."""
        return {**self._defaults, **self._parameters}

    def remove(self, name: str) -> None:
        """Forget a widget."""
        if name not in self.getAll():
            raise InputWidgetNotDefined(name)
        self._defaults.pop(name, None)
        self._parameters.pop(name, None)

    def removeAll(self) -> None:  # noqa: N802 - Databricks' spelling
        """Forget all widgets."""
        self._defaults.clear()
        self._parameters.clear()

    @contextmanager
    def given(self, parameters: Mapping[str, str]) -> Iterator[None]:
        """Lay the parameters of a `%run` over the widgets while it lasts."""
        before = dict(self._parameters)
        self._parameters.update(parameters)
        try:
            yield
        finally:
            for name in parameters:
                self._parameters.pop(name, None)
            self._parameters.update({name: before[name] for name in parameters if name in before})


def _text(value: object) -> str:
    return str(value)


_LITERAL = r"""'((?:[^'\\]|\\.|'')*)'|"((?:[^"\\]|\\.)*)\""""
_NAME = r"(`(?:[^`]|``)+`|[\w.]+)"
_CREATE = re.compile(
    rf"CREATE\s+WIDGET\s+(TEXT|DROPDOWN|COMBOBOX|MULTISELECT)\s+{_NAME}\s+DEFAULT\s+(?:{_LITERAL}|(\S+?))"
    r"(?:\s+CHOICES\s+.*)?\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_REMOVE = re.compile(rf"REMOVE\s+WIDGET\s+{_NAME}\s*\Z", re.IGNORECASE)


def do_widget_statement(statement: str, widgets: Widgets) -> bool:
    """Do a SQL statement about widgets; False when it is another statement."""
    if created := _CREATE.match(statement):
        value = next((g for g in created.groups()[2:] if g is not None), "")
        widgets.text(_bare(created[2]), value.replace("''", "'"))
        return True
    if removed := _REMOVE.match(statement):
        widgets.remove(_bare(removed[1]))
        return True
    return False


def _bare(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name
