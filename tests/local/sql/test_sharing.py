"""SQL about shares and recipients means what the same request over REST means."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from brickyard.local import LocalWorkspace
from brickyard.local.sql.model import SqlError, SqlSession
from brickyard.local.sql.service import SqlService

OWNER = SqlSession("owner@local", admin=True, catalog="main", schema="s")
ANN = SqlSession("ann@local")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    with LocalWorkspace(tmp_path_factory.mktemp("sharing") / "workspace", owner="owner@local") as running:
        service = running.parts.kernels.service()
        service.execute("CREATE SCHEMA main.s", OWNER)
        service.execute("CREATE TABLE orders (id INT, region STRING) PARTITIONED BY (region)", OWNER)
        service.execute("CREATE VIEW v AS SELECT * FROM orders", OWNER)
        yield running


@pytest.fixture
def sql(workspace: LocalWorkspace) -> Iterator[SqlService]:
    service = workspace.parts.kernels.service()
    yield service
    for share in workspace.parts.sharing.heads():
        workspace.parts.sharing.remove(share)
    for recipient in workspace.parts.sharing.recipients():
        workspace.parts.sharing.remove(recipient)


def rows(service: SqlService, text: str) -> list[list[object]]:
    return [list(row.values()) for row in service.execute(text, OWNER).table.to_pylist()]


def refusal(service: SqlService, text: str, session: SqlSession = OWNER) -> str:
    with pytest.raises(SqlError) as refused:
        service.execute(text, session)
    return refused.value.error_class


def test_a_share_is_made_filled_shown_and_dropped(sql: SqlService):
    sql.execute("CREATE SHARE sales COMMENT 'it''s ours'", OWNER)
    sql.execute("CREATE SHARE IF NOT EXISTS SALES", OWNER)
    assert refusal(sql, "CREATE SHARE sales") == "SHARE_ALREADY_EXISTS"
    sql.execute(
        "ALTER SHARE sales ADD TABLE orders COMMENT 'o' PARTITION (region = 'eu'), (region LIKE 'u%') AS sold.orders "
        "WITH HISTORY",
        OWNER,
    )
    sql.execute("ALTER SHARE sales ADD VIEW main.s.v", OWNER)
    sql.execute("ALTER SHARE sales ADD SCHEMA main.s", OWNER)
    shown = [[row[i] for i in (0, 1, 2, 5, 6)] for row in rows(sql, "SHOW ALL IN SHARE sales")]
    assert shown == [
        ["sold.orders", "TABLE", "main.s.orders", "o", "(region = eu), (region LIKE u%)"],
        ["s.v", "VIEW", "main.s.v", None, None],
        ["s", "SCHEMA", "main.s", None, None],
    ]
    sql.execute("ALTER SHARE sales REMOVE TABLE main.s.orders", OWNER)
    sql.execute("ALTER SHARE sales RENAME TO sold", OWNER)
    assert [row[0] for row in rows(sql, "SHOW SHARES LIKE 'so*'")] == ["sold"]
    assert [row[0] for row in rows(sql, "SHOW ALL IN SHARE sold")] == ["s.v", "s"]
    assert rows(sql, "DESCRIBE SHARE sold")[0][0] == "sold"
    sql.execute("DROP SHARE sold", OWNER)
    sql.execute("DROP SHARE IF EXISTS sold", OWNER)
    assert refusal(sql, "DROP SHARE sold") == "SHARE_DOES_NOT_EXIST"


def test_a_recipient_is_made_described_and_given_a_share(sql: SqlService, workspace: LocalWorkspace):
    sql.execute("CREATE SHARE sales", OWNER)
    sql.execute("CREATE RECIPIENT acme COMMENT 'c' PROPERTIES ('country' = 'de')", OWNER)
    sql.execute("GRANT SELECT ON SHARE sales TO RECIPIENT acme", OWNER)
    assert rows(sql, "SHOW GRANTS ON SHARE sales") == [["acme", "SELECT", None, None]]
    assert rows(sql, "SHOW GRANTS TO RECIPIENT acme") == [["sales", "SELECT", None, None]]
    described = dict(rows(sql, "DESCRIBE RECIPIENT acme"))
    link = workspace.client().recipients.get("acme").activation_url
    assert (described["authentication_type"], described["activation_link"]) == ("TOKEN", link)
    assert workspace.parts.sharing.recipient("acme").properties == {"country": "de"}
    sql.execute("REVOKE SELECT ON SHARE sales FROM RECIPIENT acme", OWNER)
    assert rows(sql, "SHOW GRANTS TO RECIPIENT acme") == []
    assert [row[0] for row in rows(sql, "SHOW RECIPIENTS")] == ["acme"]
    sql.execute("DROP RECIPIENT acme", OWNER)
    assert rows(sql, "SHOW RECIPIENTS") == []


def test_a_databricks_recipient_is_made_by_its_id(sql: SqlService):
    sql.execute("CREATE RECIPIENT org USING ID 'azure:westus:f64dcb39-5046-4d4c-9588-c6ac84f9b38a'", OWNER)
    described = dict(rows(sql, "DESC RECIPIENT org"))
    assert (described["cloud"], described["authentication_type"]) == ("azure", "DATABRICKS")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ALTER SHARE sales ADD TABLE nothing", "TABLE_DOES_NOT_EXIST"),
        ("ALTER SHARE sales ADD VIEW orders", "INVALID_PARAMETER_VALUE"),
        ("ALTER SHARE sales REMOVE TABLE orders", "RESOURCE_DOES_NOT_EXIST"),
        ("ALTER SHARE sales ADD TABLE orders NONSENSE", "PARSE_SYNTAX_ERROR"),
        ("GRANT MODIFY ON SHARE sales TO RECIPIENT acme", "INVALID_PARAMETER_VALUE"),
        ("GRANT SELECT ON SHARE sales TO RECIPIENT nobody", "RECIPIENT_DOES_NOT_EXIST"),
        ("GRANT SELECT ON SHARE nothing TO RECIPIENT acme", "SHARE_DOES_NOT_EXIST"),
        ("SHOW ALL IN SHARE nothing", "SHARE_DOES_NOT_EXIST"),
    ],
)
def test_what_rest_refuses_sql_refuses(sql: SqlService, text: str, code: str):
    sql.execute("CREATE SHARE sales", OWNER)
    sql.execute("CREATE RECIPIENT acme", OWNER)
    assert refusal(sql, text) == code


def test_a_stranger_makes_and_changes_nothing(sql: SqlService):
    sql.execute("CREATE SHARE sales", OWNER)
    for text in (
        "CREATE SHARE mine",
        "DROP SHARE sales",
        "DESCRIBE SHARE sales",
        "ALTER SHARE sales OWNER TO `ann@local`",
    ):
        assert refusal(sql, text, ANN) == "PERMISSION_DENIED"


def test_a_name_with_a_slash_or_a_percent_sign_stays_one_name(sql: SqlService):
    assert refusal(sql, "DESCRIBE SHARE `a/permissions`") == "SHARE_DOES_NOT_EXIST"
    assert refusal(sql, "DESCRIBE SHARE `a%2Fb?x`") == "SHARE_DOES_NOT_EXIST"
