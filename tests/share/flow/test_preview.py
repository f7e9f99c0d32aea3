"""A plan that is only looked at says what an upload would say."""

from __future__ import annotations

from tests.share.flow.conftest import pack_of

from brickyard.context import Context
from brickyard.share import flow
from brickyard.share.model.runs import Upload


def test_a_preview_has_the_warnings_of_the_file_and_the_hash_without_them(house: Context):
    upload = Upload(pack=pack_of(house), file_name="pack.yaml")
    warned = Upload(pack=upload.pack, file_name="pack.yaml", warnings=("line 3: the key is not known",))
    assert flow.preview(house, warned).warnings == ("line 3: the key is not known",)
    assert flow.preview(house, warned).hash == flow.preview(house, upload).hash
