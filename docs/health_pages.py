"""Write docs/health from the contracts: a page for each domain, the lineage of every column, and an index.

`.venv/bin/python docs/health_pages.py` writes them; a test fails when they are stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from generate import one_line, table

from brickyard.health.model.compiled import AUDIT, HISTORY, GoldColumn, GoldTable
from brickyard.health.model.contract import Expectation, Join, Kind, Reference
from brickyard.health.model.source import Capture, Source
from brickyard.health.plan import bronze
from brickyard.health.plan.compile import Gold, compile_all, depends_on
from brickyard.health.plan.lineage import Edge, edges

FOLDER = Path(__file__).with_name("health")
EDIT = "Written by `docs/health_pages.py` from the contracts in `src/brickyard/health/assets/gold`; do not edit."
KINDS = {
    Kind.DIM_SCD1: "dimension, present state: the newest version of each key",
    Kind.DIM_SCD2: "dimension with history: every version of each key, with its begin and end",
    Kind.FACT_APPEND: "events: each is told once; one that is told again counts once",
    Kind.FACT_CORRECTIONS: "records with corrections: a correction is a row of its own, so that sums net",
    Kind.FACT_SLICES: "slices of longer things: each slice once, in its newest version",
    Kind.FACT_FINAL: "things that change until they end: each once, in its newest version",
    Kind.SNAPSHOT: "state of the source: each key as the newest dated state that has it tells it",
    Kind.ROLLUP: "sums of its source by group: a group is computed anew when a row of it comes",
    Kind.DERIVED: "computed from its source by group: a group is computed anew when a row of it comes",
    Kind.STATIC: "made without a source, once",
}
PREVIEWS = {
    "public_preview": "a public preview",
    "private_preview": "a private preview",
    "beta": "in beta",
    "not_public": "not public",
}
ABSENT = "the table is there and empty, its state is `NOT_ASSESSED`"
OPTIONAL = f"Many accounts do not have the source. Without it {ABSENT}, and `brickyard health check` only mentions it."
REQUIRED = f"Without the source {ABSENT}, and `brickyard health check` warns."


def code(names: Iterable[str]) -> str:
    """Write names in code marks with commas between."""
    return ", ".join(f"`{name}`" for name in names)


def link(name: str, here: str = "") -> str:
    """Link to the section of a gold table, from the page of the domain *here*."""
    domain, _, short = name.partition(".")
    return f"[{name}]({'' if domain == here else f'{domain}.md'}#{short})"


def bullets(lines: Iterable[str]) -> str:
    """Write a list."""
    return "\n".join(f"- {line}" for line in lines)


def titled(title: str, text: str) -> str:
    """Put a title above a text; no text, no title."""
    return f"**{title}**\n\n{text}" if text else ""


def joined(parts: Iterable[str]) -> str:
    """Put paragraphs below each other, empty ones left out."""
    return "\n\n".join(part for part in parts if part)


def copying(source: Source) -> str:
    """Say how bronze copies a source."""
    if source.capture is Capture.SNAPSHOT:
        return "as dated snapshots: its whole state, whenever that differs from the last one copied"
    days = bronze.overlap(source).days
    return f"by appending: rows with a `{source.watermark}` later than {days} days before the newest one copied, or with none, but each row once"


def source_words(source: Source) -> str:
    """Say where a source stands, how it is copied and how long Databricks keeps it."""
    kept = f"Databricks keeps {source.retention} days." if source.retention and source.documented else ""
    what = [PREVIEWS[source.preview]] if source.preview in PREVIEWS else []
    what += [] if source.documented else ["not documented by Databricks"]
    told = f"It is {' and '.join(what)}." if what else ""
    return " ".join(filter(None, [f"`system.{source.name}`, copied {copying(source)}.", kept, told]))


def newest_words(one: GoldTable) -> str:
    """Say which of several rows of a key stands."""
    if not one.latest and one.contract.kind is not Kind.DIM_SCD2:
        return ""
    order = [f"`{name}`" for name in one.contract.sequence]
    per = "key and `valid_from`" if one.contract.kind is Kind.DIM_SCD2 else "key"
    return f"Of several rows of a {per} the one with the greatest {', then '.join([*order, 'hash of the whole row'])} stands."


def join_words(join: Join, here: str) -> str:
    """Say what is looked up in another table."""
    pairs = [f"`{theirs}`" if theirs == ours else f"`{theirs}` = `{ours}`" for theirs, ours in join.on.items()]
    pairs += [f"`{name}` = '{value}'" for name, value in join.where.items()]
    begin, end = join.valid
    return f"{link(join.to, here)}: the row with the same {', '.join(pairs)} that is valid at `{join.as_of}` (`{begin}` to before `{end}`); written `{join.alias}` below"


def facts(one: GoldTable) -> Iterator[str]:
    """Yield what is to be said of a table before its columns."""
    contract = one.contract
    yield f"Rows: {contract.grain}"
    yield f"Kind: `{contract.kind}`, {KINDS[contract.kind]}"
    newest = newest_words(one)
    yield f"Key: {code(one.key)}" + (f". {newest}" if newest else "")
    if one.source:
        yield f"Source: {source_words(one.source)}"
        yield OPTIONAL if contract.optional else REQUIRED
    if contract.group:
        yield f"Group: {code(contract.group)}"
    if contract.delete_time:
        yield f"The last version of a thing ends at its `{contract.delete_time}`"
    if contract.auxiliary:
        yield "Companion: beside the tables of the requirements, made of the same source as one of them"
    if contract.new_fields == "add" and one.source and not contract.rows:
        yield "A column that the source comes to have becomes a nullable column here"


def marks(one: GoldTable, column: GoldColumn) -> str:
    """Say what is special about a column."""
    contract = one.contract
    found = [("key", column.name in one.key), ("not null", column.not_null), ("PII", column.name in contract.pii)]
    return ", ".join(word for word, holds in found if holds)


def origin(one: GoldTable, column: GoldColumn, read: dict[str, list[Edge]]) -> str:
    """Say what a column is computed from: the leaf it is, or its expression, or the leaves behind the table's query."""
    if column.origin == "history":
        return "the engine"
    if column.origin == "enriched" and one.contract.enrich:
        return f"`{next(one_line(c.expr) for c in one.contract.enrich.columns if c.name == column.name)}`"
    leaves = [leaf_name(one, edge.leaf) for edge in read.get(f"{one.table}.{column.name}", ())]
    declared = expression(one, column.name)
    if declared:
        return f"`{declared}`" + (f" over {', '.join(leaves)}" if one.contract.rows and leaves else "")
    return ", ".join(leaves) or "the query"


def expression(one: GoldTable, name: str) -> str:
    """Return the expression that the contract gives a column, or nothing."""
    found = next((entry for entry in one.contract.columns if getattr(entry, "name", None) == name), None)
    return one_line(getattr(found, "expr", None))


def leaf_name(one: GoldTable, leaf: str) -> str:
    """Write a leaf of the table's own source as its path, in code marks."""
    own = one.source.name if one.source else ""
    if leaf == own:
        return "time of the dated state"
    return "the whole row" if leaf == f"{own}.*" else f"`{leaf.removeprefix(f'{own}.')}`"


def columns(one: GoldTable, read: dict[str, list[Edge]]) -> str:
    """Return the table of columns; the engine's own stand in the index."""
    rows = [
        (f"`{c.name}`", f"`{c.type}`", one_line(c.comment), origin(one, c, read), marks(one, c))
        for c in one.columns
        if c.origin != "audit"
    ]
    return table(("column", "type", "meaning", "from", "marks"), rows)


def reference_words(one: Reference, here: str) -> str:
    """Say where a reference points, and whether rows without a partner are expected."""
    aim = f" ({code(one.target)})" if one.target else ""
    when = f", where `{one.when}`" if one.when else ""
    orphan = "rows without a partner are told as a warning" if one.orphan == "warn" else "rows without a partner may be"
    return f"{code(one.columns)} → {link(one.to, here)}{aim}{when}; {orphan}"


def rule_rows(one: GoldTable) -> Iterator[tuple[str, str, str]]:
    """Yield each rule, what must hold, and what happens to a row that breaks it."""
    kept = "kept in `ops.quarantine`, not here"
    for column in one.of_origin("source"):
        if column.not_null:
            yield f"`null:{column.name}`", f"`{column.name}` is there", kept
        if column.narrow:
            yield f"`does-not-fit:{column.name}`", f"the value fits `{column.type}` exactly", kept
    for rule in one.contract.expect:
        yield f"`{rule.name}`", condition(rule), kept


def condition(rule: Expectation) -> str:
    """Write what must hold of a row."""
    return f"`{rule.check}`" + (f", where `{rule.when}`" if rule.when else "")


def rules(one: GoldTable) -> str:
    """Return the table of rules, and what it does not say."""
    rows = list(rule_rows(one))
    if not rows:
        return ""
    null = "A check whose result is NULL holds." if one.contract.expect else ""
    pii = "PII columns are left out of what quarantine keeps." if one.contract.pii else ""
    return joined([table(("rule", "must hold", "a row that breaks it"), rows), " ".join(filter(None, (null, pii)))])


def view_lines(one: GoldTable) -> Iterator[str]:
    """Yield name and meaning of each view."""
    if one.contract.kind is Kind.DIM_SCD2:
        yield f"`{one.table}_current`: the rows with `is_current`"
    for view in one.contract.views:
        yield f"`{one.contract.domain}.{view.name}`: {one_line(view.comment)}"


def companions(one: GoldTable, gold: Gold) -> Iterator[str]:
    """Yield links to the tables that are made of the same source."""
    for other in gold:
        if other is not one and other.source and one.source and other.source.name == one.source.name:
            yield link(other.table, one.contract.domain)


def reconciliation(one: GoldTable) -> str:
    """Say what is compared with bronze after each merge."""
    if not one.latest:
        return "None: the table is computed from all of bronze that concerns it, not merged row by row."
    sums = [f"the sum of `{name}`" for name in one.contract.reconcile.sums]
    by = f"by day of `{one.contract.prune}`" if one.contract.prune else "over the whole table"
    return f"After each merge bronze and gold are compared {by}: {', '.join(['rows', 'the set of keys', *sums])}."


def left_out(one: GoldTable) -> str:
    """List the columns of the source that the table leaves out, and why."""
    return bullets(f"`{name.replace('__', '.')}`: {one_line(why)}" for name, why in one.contract.ignore.items())


def section(one: GoldTable, gold: Gold, read: dict[str, list[Edge]]) -> str:
    """Return all that is said of one table."""
    contract = one.contract
    joins = contract.enrich.joins if contract.enrich else ()
    query = f"```sql\n{contract.rows.rstrip()}\n```" if contract.rows else ""
    return joined([
        f"## {contract.name}",
        one_line(contract.description),
        bullets(facts(one)),
        titled("Columns", columns(one, read)),
        titled("Query", query),
        titled("Look-ups", bullets(join_words(join, contract.domain) for join in joins)),
        titled("References", bullets(reference_words(to, contract.domain) for to in contract.references)),
        titled("Rules", rules(one)),
        titled("Views", bullets(view_lines(one))),
        titled("Of the same source", bullets(companions(one, gold))),
        titled("Not taken from the source", left_out(one)),
        titled("Reconciliation", reconciliation(one)),
    ])  # fmt: skip


def summary(tables: Iterable[GoldTable], here: str = "") -> str:
    """Return one line for each table."""
    rows = [
        (
            link(one.table, here),
            f"`{one.contract.kind}`",
            one.contract.grain,
            f"`{one.source.name}`" if one.source else "",
        )
        for one in tables
    ]
    return table(("table", "kind", "rows", "source"), rows)


def domain_page(domain: str, gold: Gold, read: dict[str, list[Edge]]) -> str:
    """Return the page of one domain."""
    tables = tables_of(domain, gold)
    head = "[All domains](README.md) · [Lineage](lineage.md#" + domain + ")"
    sections = [section(one, gold, read) for one in tables]
    return joined([f"# {domain}", EDIT, head, summary(tables, domain), *sections]) + "\n"


def tables_of(domain: str, gold: Gold) -> list[GoldTable]:
    """Return a domain's tables by name, companions last."""
    found = [one for one in gold if one.contract.domain == domain]
    return sorted(found, key=lambda one: (one.contract.auxiliary, one.table))


def domains(gold: Gold) -> tuple[str, ...]:
    """Name the domains."""
    return tuple(sorted({one.contract.domain for one in gold}))


def node(name: str) -> str:
    """Name a node of a graph."""
    return name.replace(".", "_")


def graph(gold: Gold) -> str:
    """Draw sources, the tables that are made of them, and which tables these look up (thick) or point to (thin)."""
    names = sorted({one.source.name for one in gold if one.source})
    lines = ["flowchart LR", *(f"  s_{node(name)}[/{name}/]" for name in names)]
    for domain in domains(gold):
        inner = [f"    t_{node(one.table)}[{one.contract.name}]" for one in tables_of(domain, gold)]
        lines += [f"  subgraph {domain}", *inner, "  end"]
    ordered = sorted(gold, key=lambda one: one.table)
    lines += [f"  s_{node(one.source.name)} --> t_{node(one.table)}" for one in ordered if one.source]
    lines += [f"  t_{node(to)} {arrow} t_{node(one.table)}" for one in ordered for to, arrow in uses(one)]
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def uses(one: GoldTable) -> Iterator[tuple[str, str]]:
    """Yield the tables that are looked up; references to calendar and workspaces, which most have, are not drawn."""
    looked = {join.to for join in (one.contract.enrich.joins if one.contract.enrich else ())}
    for to in depends_on(one.contract):
        if to in looked or not to.startswith("shared."):
            yield to, "==>" if to in looked else "-.->"


def lineage_rows(found: Iterable[Edge]) -> list[tuple[str, ...]]:
    """Return a line for each column: the leaves that it reads, and the tables on the way."""
    rows: list[tuple[str, ...]] = []
    for column, group in groupby(found, key=lambda edge: edge.column):
        each = list(group)
        through = sorted({name for edge in each for name in edge.through})
        rows.append((f"`{column.rpartition('.')[2]}`", code(edge.leaf for edge in each), ", ".join(map(link, through))))
    return rows


def lineage_page(gold: Gold, read: dict[str, list[Edge]]) -> str:
    """Return the page of lineage."""
    parts = [
        "# Lineage",
        EDIT,
        "[All domains](README.md)",
        "What every column of every gold table is computed from, down to the leaves of the sources in the source catalog."
        " `schema.table.*` is the whole row, or that there is one; `schema.table` alone is the time of a dated state."
        " Conditions that choose rows (`WHERE`) are no lineage; what finds a row in a look-up is. The columns that the engine"
        " adds to every table are told [in the index](README.md#columns-of-every-table)."
        " `brickyard health explain TABLE.COLUMN` and `GET /health/lineage` tell one column with the expressions on the way.",
        "Whole arrows: made of. Thick: looked up there. Dotted: points to. Left out: references to"
        f" {link('shared.dim_date')} and {link('shared.dim_workspace')}.",
        graph(gold),
    ]
    for domain in domains(gold):
        parts.append(f"## {domain}")
        parts += [lineage_section(one, read) for one in tables_of(domain, gold)]
    return joined(parts) + "\n"


def lineage_section(one: GoldTable, read: dict[str, list[Edge]]) -> str:
    """Return the lineage of one table."""
    found = [edge for column in one.columns for edge in read.get(f"{one.table}.{column.name}", ())]
    text = table(("column", "reads", "through"), lineage_rows(found)) if found else "Reads no source."
    return f"### {link(one.table)}\n\n{text}"


def index_page(gold: Gold) -> str:
    """Return the index."""
    own = [(f"`{name}`", f"`{kind}`", comment) for name, kind, comment in AUDIT]
    history = [(f"`{name}`", f"`{kind}`", comment) for name, kind, comment in HISTORY]
    copied = [(f"`{name}`", f"`{kind}`", comment) for name, kind, comment in (*bronze.OWN, bronze.DATED)]
    heads = ("column", "type", "meaning")
    parts = [
        "# The gold tables",
        EDIT,
        f"{len(gold.main)} tables in {len(domains(gold))} domains and {len(list(gold)) - len(gold.main)} companions, in the gold"
        " catalog (the source catalog's name with `_health`, unless another is named). [Lineage](lineage.md) tells what each"
        " column is computed from.",
        *(f"## {name}\n\n[Page]({name}.md)\n\n{summary(tables_of(name, gold))}" for name in domains(gold)),
        "## Columns of every table\n\nThe engine writes these.\n\n" + table(heads, own),
        "## Columns of a history\n\nTables of the kind `dim_scd2` have these, too.\n\n" + table(heads, history),
        "## Bronze\n\n`bronze.<schema>_<table>` holds a source's rows, one column for each leaf: fields of structs by their path,"
        " joined by two underscores. Beside them, `_snapshot_at` only in copies of whole states:\n\n"
        + table(heads, copied),
        "## Kinds\n\n" + table(("kind", "meaning"), [(f"`{kind}`", words) for kind, words in KINDS.items()]),
    ]
    return joined(parts) + "\n"


def pages(gold: Gold) -> dict[str, str]:
    """Return every page by its file name."""
    read: dict[str, list[Edge]] = {}
    for edge in edges(gold):
        read.setdefault(edge.column, []).append(edge)
    found = {f"{domain}.md": domain_page(domain, gold, read) for domain in domains(gold)}
    return {"README.md": index_page(gold), "lineage.md": lineage_page(gold, read), **found}


def write(folder: Path) -> None:
    """Write all pages."""
    folder.mkdir(exist_ok=True)
    for name, text in pages(compile_all()).items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(FOLDER)
