"""Grants are enforced from resolved names; foreign catalogs are read only."""

from __future__ import annotations

import pytest

from brickyard.local.sql.model import SqlError, SqlSession


@pytest.fixture
def main(sql):
    name = f"main.{sql.session.schema}"
    sql.run_all(f"CREATE SCHEMA {name}", f"CREATE TABLE {name}.t AS SELECT 1 AS a")
    return sql


@pytest.fixture
def ann(sql):
    return SqlSession(f"ann-{sql.session.schema}@x.com")


def _refused(sql, text, session):
    with pytest.raises(SqlError) as refused:
        sql.run(text, session=session)
    return refused.value.error_class, refused.value.sql_state


def test_a_stranger_needs_each_privilege_on_the_way_to_a_table(main, ann):
    name = f"main.{main.session.schema}"
    query = f"SELECT * FROM {name}.t"
    assert _refused(main, query, ann) == ("INSUFFICIENT_PERMISSIONS", "42501")
    main.run(f"GRANT SELECT ON TABLE {name}.t TO `{ann.principal}`")
    assert _refused(main, query, ann) == ("INSUFFICIENT_PERMISSIONS", "42501")
    main.run(f"GRANT USE CATALOG ON CATALOG main TO `{ann.principal}`")
    main.run(f"GRANT USE SCHEMA ON SCHEMA {name} TO `{ann.principal}`")
    assert main.rows(query, session=ann) == [[1]]
    main.run(f"REVOKE SELECT ON TABLE {name}.t FROM `{ann.principal}`")
    assert _refused(main, query, ann) == ("INSUFFICIENT_PERMISSIONS", "42501")


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO {t} VALUES (2)",
        "DELETE FROM {t}",
        "TRUNCATE TABLE {t}",
        "DROP TABLE {t}",
        "ALTER TABLE {t} SET TBLPROPERTIES ('a' = 'b')",
        "GRANT SELECT ON TABLE {t} TO bob",
        "CREATE OR REPLACE TABLE {t} AS SELECT 2 AS a",
    ],
)
def test_reading_does_not_allow_writing(main, ann, text):
    name = f"main.{main.session.schema}"
    main.run(f"GRANT USE CATALOG, USE SCHEMA, SELECT ON CATALOG main TO `{ann.principal}`")
    assert _refused(main, text.format(t=f"{name}.t"), ann)[0] == "INSUFFICIENT_PERMISSIONS"


def test_a_view_is_read_with_the_rights_of_its_maker(main, ann):
    name = f"main.{main.session.schema}"
    main.run(f"CREATE VIEW {name}.v AS SELECT a + 1 AS b FROM {name}.t")
    main.run(f"GRANT USE CATALOG ON CATALOG main TO `{ann.principal}`")
    main.run(f"GRANT USE SCHEMA ON SCHEMA {name} TO `{ann.principal}`")
    main.run(f"GRANT SELECT ON VIEW {name}.v TO `{ann.principal}`")
    assert main.rows(f"SELECT * FROM {name}.v", session=ann) == [[2]]
    assert _refused(main, f"SELECT * FROM {name}.t", ann)[0] == "INSUFFICIENT_PERMISSIONS"


def test_the_maker_of_a_table_owns_it(main, ann):
    name = f"main.{main.session.schema}"
    main.run(f"GRANT USE CATALOG ON CATALOG main TO `{ann.principal}`")
    main.run(f"GRANT USE SCHEMA, CREATE TABLE ON SCHEMA {name} TO `{ann.principal}`")
    main.run(f"CREATE TABLE {name}.own AS SELECT 5 AS a", session=ann)
    assert main.rows(f"SELECT * FROM {name}.own", session=ann) == [[5]]


def test_a_foreign_catalog_shows_the_same_rows_and_takes_no_writes(sql):
    schema = sql.session.schema
    sql.run_all(
        "CREATE TABLE t AS SELECT 1 AS a",
        f"CREATE FOREIGN CATALOG f_{schema} USING CONNECTION c OPTIONS (mirror 'hive_metastore')",
    )
    foreign = f"f_{schema}.{schema}.t"
    assert sql.rows(f"SELECT {foreign}.a FROM {foreign}") == [[1]]
    assert sql.rows(f"DESCRIBE HISTORY {foreign}")[0][4] == "CREATE TABLE AS SELECT"
    for text in (f"INSERT INTO {foreign} VALUES (2)", f"DROP TABLE {foreign}", f"DELETE FROM {foreign}"):
        assert _refused(sql, text, sql.session) == ("PERMISSION_DENIED", "42501")
    sql.run(f"CREATE TABLE copied DEEP CLONE {foreign}")
    assert sql.rows("SELECT * FROM copied") == [[1]]


def test_a_path_is_no_way_around_the_grants_of_a_table(main, ann):
    name = f"main.{main.session.schema}"
    external = f"dbfs:/guarded/{main.session.schema}"
    main.run(f"CREATE TABLE {name}.e (a INT) LOCATION '{external}'")
    managed = main.service.shop.store.table("main", main.session.schema, "t").storage_location
    assert _refused(main, f"SELECT * FROM delta.`{managed}`", main.session)[0] in (
        "PATH_NOT_FOUND",
        "LOCAL_PATH_NOT_ALLOWED",
    )
    for text in (
        "SELECT * FROM delta.`{p}`",
        "DELETE FROM delta.`{p}`",
        "DESCRIBE HISTORY delta.`{p}`",
        "INSERT INTO delta.`{p}` VALUES (1)",
    ):
        assert _refused(main, text.format(p=external), ann)[0] == "INSUFFICIENT_PERMISSIONS"
    assert main.rows(f"SELECT * FROM delta.`{external}`") == []


def test_a_volume_guards_its_files(main, ann):
    name = f"main.{main.session.schema}"
    main.run(f"CREATE VOLUME {name}.files")
    folder = main.service.shop.places.locate(f"/Volumes/main/{main.session.schema}/files")
    (folder / "a.txt").write_text("hello")
    query = f"SELECT * FROM text.`/Volumes/main/{main.session.schema}/files/a.txt`"
    assert _refused(main, query, ann)[0] == "INSUFFICIENT_PERMISSIONS"
    main.run(f"GRANT READ VOLUME ON VOLUME {name}.files TO `{ann.principal}`")
    assert main.rows(query, session=ann) == [["hello"]]


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO system.access.audit (event_id) VALUES ('x')",
        "DROP TABLE system.query.history",
        "DROP CATALOG hive_metastore CASCADE",
        "DROP CATALOG system CASCADE",
    ],
)
def test_what_belongs_to_the_workspace_cannot_be_changed(sql, text):
    assert _refused(sql, text, sql.session) == ("PERMISSION_DENIED", "42501")
