"""Where a deletion vector lies: Delta writes the file's identifier in base 85, after a folder's name of any length."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from typing import Any

from brickyard.local.sharing.versions import data_loss

_Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_TO_B85 = bytes.maketrans(_Z85, _B85)
_UUID_LENGTH = 20


def file_of(vector: Mapping[str, Any]) -> str | None:
    """The file of a deletion vector, relative to the table's folder; None when the vector is in the log itself.

    Raises ApiError for a vector at an absolute path, which is outside of the table.
    """
    match vector["storageType"]:
        case "i":
            return None
        case "u":
            return _relative(vector["pathOrInlineDv"])
        case other:
            raise data_loss(f"a deletion vector is stored in a way that is not served ({other}).")


def _relative(text: str) -> str:
    folder, encoded = text[:-_UUID_LENGTH], text[-_UUID_LENGTH:]
    name = f"deletion_vector_{uuid.UUID(bytes=base64.b85decode(encoded.encode().translate(_TO_B85)))}.bin"
    return f"{folder}/{name}" if folder else name
