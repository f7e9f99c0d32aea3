"""No path that SQL can write leads out of the workspace."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.local.catalog.model import CatalogError, Volume
from brickyard.local.catalog.store import CatalogStore
from brickyard.local.sql.model import SqlError
from brickyard.local.sql.places import Places

_PIECES = st.sampled_from(
    ["..", ".", "", "a", "dbfs:", "file:", "s3:", "/", "Volumes", "main", "default", "v", "%2e%2e", "etc", "é"]
)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    store = CatalogStore(home / "catalog.sqlite", owner="me")
    folder = home / "volumes" / "x"
    folder.mkdir(parents=True)
    store.add(Volume(catalog="main", schema="default", name="v", storage_location=str(folder)), by="me")
    yield Places(home, store)
    store.close()


@given(
    st.lists(_PIECES, max_size=8), st.sampled_from(["", "/", "dbfs:/", "file:/", "/Volumes/main/default/v/", "s3://b/"])
)
def test_every_path_is_inside_or_refused(places, pieces, start):
    try:
        found = places.locate(start + "/".join(pieces))
    except (SqlError, CatalogError):
        return
    assert any(found.is_relative_to(root.resolve()) for root in places.roots)


def test_a_link_that_leads_out_is_refused(places):
    (places.home / "dbfs").mkdir(exist_ok=True)
    link = places.home / "dbfs" / "out"
    link.symlink_to("/etc")
    with pytest.raises(SqlError, match="LOCAL_PATH_NOT_ALLOWED"):
        places.locate("dbfs:/out/passwd")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("dbfs:/a/b", "dbfs/a/b"),
        ("/a/b", "dbfs/a/b"),
        ("/dbfs/a/b", "dbfs/a/b"),
        ("/Volumes/main/default/v/x", "volumes/x/x"),
        ("dbfs:/Volumes/main/default/v/x", "volumes/x/x"),
        ("abfss://c@a.dfs.core.windows.net/t", "cloud/abfss/c@a.dfs.core.windows.net/t"),
    ],
)
def test_paths_of_databricks_are_folders_of_the_workspace(places, text, place):
    assert places.locate(text) == Path(places.home / place).resolve()
