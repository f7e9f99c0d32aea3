"""Deletion vectors: which rows of a file are deleted stands in the log itself, or in a file beside the data."""

from __future__ import annotations

import base64
import uuid
from urllib.parse import unquote

from brickyard.local.sql.delta.log import Action

Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
B85 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"  # Python's alphabet
_DIGITS = 20  # of a UUID in base 85


def vector_file(file: Action) -> str | None:
    """The file that holds the deletion vector of a data file, relative to the table's folder; None for no such file."""
    vector = file.get("deletionVector")
    if not vector or vector["storageType"] != "u":
        return None
    folder, digits = vector["pathOrInlineDv"][:-_DIGITS], vector["pathOrInlineDv"][-_DIGITS:]
    identifier = uuid.UUID(bytes=base64.b85decode(digits.encode().translate(bytes.maketrans(Z85, B85))))
    name = f"deletion_vector_{identifier}.bin"
    return f"{folder}/{name}" if folder else name


def files_of(file: Action) -> list[str]:
    """The data file of an action and the file of its deletion vector, relative to the table's folder."""
    vector = vector_file(file)
    return [unquote(file["path"]), *([] if vector is None else [vector])]
