"""Checks what a pipeline is asked to be, and finds the code that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from brickyard.local.api.errors import ApiError, invalid
from brickyard.local.api.routes import field_list, field_object, field_objects, field_text
from brickyard.local.files.workspace import Entry, Kind, WorkspaceFiles, workspace_path
from brickyard.local.pipelines.model import JsonObject
from brickyard.local.pipelines.order import Library

KEPT = (
    "budget_policy_id", "catalog", "channel", "clusters", "configuration", "continuous", "deployment", "development",
    "edition", "environment", "event_log", "filters", "libraries", "name", "notifications", "parameters", "photon",
    "restart_window", "root_path", "run_as", "schema", "serverless", "storage", "tags", "target", "trigger",
    "usage_policy_id",
)  # fmt: skip
_ELSEWHERE = ("gateway_definition", "ingestion_definition")
_MAPS = ("configuration", "tags", "parameters")


def checked(body: Mapping[str, object]) -> JsonObject:
    """The settings of a pipeline as they are kept; raises ApiError for what is wrong or does not run here."""
    for name in _ELSEWHERE:
        if body.get(name):
            raise ApiError(501, "NOT_IMPLEMENTED", f"{name} does not run here: pipelines run notebooks and files.")
    if body.get("target") and body.get("schema"):
        raise invalid("Only one of target and schema may be given.")
    for name in _MAPS:
        _check_texts(field_object(body, name), name)
    for library in field_objects(body, "libraries"):
        _check_library(library)
    for note in field_objects(body, "notifications"):
        field_list(note, "alerts")
        field_list(note, "email_recipients")
    field_text(body, "name")
    kept = {name: body[name] for name in KEPT if body.get(name) is not None}
    return {"continuous": False, "development": False, "edition": "ADVANCED", "channel": "CURRENT", **kept}


def _check_texts(values: JsonObject, name: str) -> None:
    for key, value in values.items():
        if not isinstance(value, str):
            raise invalid(f"{name}.{key} must be a string")


def _check_library(library: JsonObject) -> None:
    kinds = [name for name in ("notebook", "file", "glob", "jar", "whl", "maven") if library.get(name)]
    if len(kinds) != 1:
        raise invalid("Each library must name exactly one of notebook, file and glob.")
    if kinds[0] in ("jar", "whl", "maven"):
        raise ApiError(501, "NOT_IMPLEMENTED", f"{kinds[0]} libraries do not run here; use notebook, file or glob.")
    field = "include" if kinds[0] == "glob" else "path"
    if not field_text(field_object(library, kinds[0]), field).startswith("/"):
        raise invalid(f"libraries.{kinds[0]}.{field} must be an absolute workspace path.")


def libraries(spec: Mapping[str, object], files: WorkspaceFiles) -> tuple[Library, ...]:
    """The notebooks and files that a pipeline runs, in their order; raises ApiError when one is missing."""
    found = [one for library in field_objects(spec, "libraries") for one in _found(library, files)]
    if not found:
        raise invalid("The pipeline has no libraries, so there is nothing to update.")
    return tuple(dict.fromkeys(found))


def _found(library: JsonObject, files: WorkspaceFiles) -> Iterator[Library]:
    if library.get("glob"):
        yield from _matching(field_text(field_object(library, "glob"), "include"), files)
        return
    is_notebook = bool(library.get("notebook"))
    path = workspace_path(field_text(field_object(library, "notebook" if is_notebook else "file"), "path"))
    entry = files.find(path)
    if entry is None or entry.kind not in (Kind.NOTEBOOK, Kind.FILE):
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Unable to access the library {path} in the workspace.")
    yield Library(path, entry.kind is Kind.NOTEBOOK)


def _matching(pattern: str, files: WorkspaceFiles) -> Iterator[Library]:
    """The code under a folder (`/a/b/**`) or of a pattern; a folder's own name stands for all that is in it."""
    root = workspace_path(pattern.split("*", 1)[0].rpartition("/")[0] or "/")
    for entry in _below(root, files):
        is_code = entry.kind is Kind.NOTEBOOK or entry.path.endswith((".py", ".sql"))
        if entry.kind in (Kind.NOTEBOOK, Kind.FILE) and is_code and fnmatchcase(entry.path, workspace_path(pattern)):
            yield Library(entry.path, entry.kind is Kind.NOTEBOOK)


def _below(path: str, files: WorkspaceFiles) -> Iterator[Entry]:
    entry = files.find(path)
    for child in files.children(path) if entry is not None else ():
        if child.kind is Kind.DIRECTORY:
            yield from _below(child.path, files)
        else:
            yield child
