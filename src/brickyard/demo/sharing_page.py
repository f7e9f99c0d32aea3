"""The report of share's story as one page without script or network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brickyard.demo.files import text_of

if TYPE_CHECKING:
    from brickyard.demo.sharing import DemoResult


def html(result: DemoResult) -> str:
    """Render the story."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(text_of("sharing.html.j2")).render(r=result)
