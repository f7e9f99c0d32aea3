"""Column lineage tells what a statement computes from what, and nothing where it does not know."""

from __future__ import annotations

import uuid

import pytest

from brickyard.local.catalog.store import CatalogStore
from brickyard.local.sql.model import Origin, SqlSession
from brickyard.local.sql.service import SqlService

OWNER = "owner@local"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    home = tmp_path_factory.mktemp("columns")
    store = CatalogStore(home / "catalog.sqlite", owner=OWNER)
    made = SqlService(home, store)
    yield made
    made.close()
    store.close()


class Shop:
    """A schema with two tables and a view, and a way to ask what a statement left."""

    def __init__(self, service: SqlService) -> None:
        self.service = service
        self.session = SqlSession(OWNER, admin=True, catalog="main", schema=f"s_{uuid.uuid4().hex[:8]}")
        self.run(f"CREATE SCHEMA {self.session.schema}")
        self.run("CREATE TABLE orders (Id BIGINT, customer BIGINT, amount DECIMAL(10,2), place STRUCT<city: STRING>)")
        self.run("CREATE TABLE customers (id BIGINT, name STRING)")
        self.run("CREATE VIEW big AS SELECT id, amount FROM orders WHERE amount > 10")
        self.run("CREATE TABLE sums (id BIGINT, total DECIMAL(20,2))")

    def run(self, text):
        return self.service.execute(text, self.session).table.to_pylist()

    def lineage(self, target):
        columns = "source_table_name, source_column_name, target_column_name"
        name = f"main.{self.session.schema}.{target}"
        rows = self.run(
            f"SELECT {columns} FROM system.access.column_lineage WHERE target_table_full_name = '{name}' ORDER BY 3, 1, 2"
        )
        return [(r["target_column_name"], f"{r['source_table_name']}.{r['source_column_name']}") for r in rows]


@pytest.fixture
def shop(service):
    return Shop(service)


CASES = {
    "a projection": ("SELECT id AS a, amount * 2 AS b FROM orders", [("a", "orders.Id"), ("b", "orders.amount")]),
    "a star": (
        "SELECT * FROM customers",
        [("id", "customers.id"), ("name", "customers.name")],
    ),
    "a join": (
        "SELECT c.name, sum(o.amount) AS total FROM orders o JOIN customers c ON o.customer = c.id GROUP BY c.name",
        [("name", "customers.name"), ("total", "orders.amount")],
    ),
    "a CTE and a subquery": (
        "WITH x AS (SELECT customer AS k, amount AS v FROM orders) "
        "SELECT k, t.v + 1 AS w FROM (SELECT k, v FROM x WHERE v > 0) AS t",
        [("k", "orders.customer"), ("w", "orders.amount")],
    ),
    "a union": (
        "SELECT id AS k FROM orders UNION ALL SELECT id FROM customers",
        [("k", "customers.id"), ("k", "orders.Id")],
    ),
    "a window": (
        "SELECT row_number() OVER (PARTITION BY customer ORDER BY amount) AS n FROM orders",
        [("n", "orders.amount"), ("n", "orders.customer")],
    ),
    "a field of a struct": ("SELECT place.city AS city FROM orders", [("city", "orders.place")]),
    "a view": ("SELECT id, amount FROM big", [("amount", "big.amount"), ("id", "big.id")]),
    "a constant": ("SELECT 1 AS one, count(*) AS n FROM orders", []),
    "an alias that a later item means": ("SELECT id + 1 AS amount, amount AS b FROM orders", []),
    "a join whose USING column is of both": ("SELECT id FROM customers JOIN big USING (id)", []),
    "a scalar subquery": ("SELECT (SELECT max(id) FROM customers) AS m, id FROM orders", []),
    "a table function": ("SELECT id FROM range(3)", []),
    "an exploded array": ("SELECT e FROM customers LATERAL VIEW explode(array(id)) x AS e", []),
}


@pytest.mark.parametrize(("query", "expected"), CASES.values(), ids=CASES)
def test_a_table_made_from_a_query(shop, query, expected):
    shop.run(f"CREATE TABLE made AS {query}")
    assert shop.lineage("made") == expected


def test_an_insert_by_position_by_columns_and_by_name(shop):
    shop.run("INSERT INTO sums SELECT customer, amount FROM orders")
    shop.run("INSERT INTO sums (total, id) SELECT amount, id FROM orders")
    shop.run("INSERT INTO sums BY NAME SELECT amount AS total, id FROM big")
    assert shop.lineage("sums") == [
        ("id", "big.id"),
        ("id", "orders.Id"),
        ("id", "orders.customer"),
        ("total", "big.amount"),
        ("total", "orders.amount"),
        ("total", "orders.amount"),
    ]


def test_a_merge_tells_what_it_assigns(shop):
    shop.run(
        "MERGE INTO sums t USING (SELECT customer AS c, sum(amount) AS a FROM orders GROUP BY customer) s ON t.id = s.c "
        "WHEN MATCHED THEN UPDATE SET t.total = t.total + s.a WHEN NOT MATCHED THEN INSERT (id, total) VALUES (s.c, s.a)"
    )
    assert shop.lineage("sums") == [("id", "orders.customer"), ("total", "orders.amount")]


def test_a_merge_of_whole_rows(shop):
    shop.run("CREATE TABLE copy AS SELECT * FROM customers")
    shop.run("CREATE TABLE other AS SELECT * FROM customers")
    shop.run(
        "MERGE INTO copy USING other ON copy.id = other.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
    assert [pair for pair in shop.lineage("copy") if "other" in pair[1]] == [("id", "other.id"), ("name", "other.name")]


def test_a_clone_and_a_view(shop):
    shop.run("CREATE TABLE twin DEEP CLONE customers")
    shop.run("CREATE VIEW named (who, what) AS SELECT name, id FROM customers")
    assert shop.lineage("twin") == [("id", "customers.id"), ("name", "customers.name")]
    assert shop.lineage("named") == [("what", "customers.id"), ("who", "customers.name")]


def test_a_temporary_view_hides_the_table_of_its_name(shop):
    shop.run("CREATE TEMP VIEW customers AS SELECT 1 AS id, 'x' AS name")
    shop.run("CREATE TABLE made AS SELECT id FROM customers")
    assert shop.lineage("made") == []


def test_a_row_tells_the_statement_its_event_and_its_job(service, shop):
    shop.session.origin = Origin(job_id="7", job_run_id="70", notebook_id="9")
    shop.run("CREATE TABLE made AS SELECT id FROM customers")
    name = f"main.{shop.session.schema}.made"
    where = f"WHERE target_table_full_name = '{name}'"
    (table,) = shop.run(f"SELECT * FROM system.access.table_lineage {where}")
    (column,) = shop.run(f"SELECT * FROM system.access.column_lineage {where}")
    own = {"source_column_name": "id", "target_column_name": "id"}
    assert column == {**table, **own, "record_id": column["record_id"]}
    assert column["record_id"] != table["record_id"]
