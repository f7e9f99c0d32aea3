"""Named tokens: made once, listed without their secrets, revoked by id or person."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from brickyard.kernel.errors import NotFound, SpecInvalid
from brickyard.metadata import Metadata, audit, tokens
from brickyard.metadata.tokens import NamedToken

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_token_is_its_persons_until_it_is_revoked(metadata: Metadata):
    with metadata.transaction() as tx:
        ada, grace = (tokens.add(tx, f"{name}@example.com", at=NOW, actor="root") for name in ("Ada", "grace"))
        assert [tokens.owner(tx, t.secret) for t in (ada, grace)] == ["ada@example.com", "grace@example.com"]
        assert tokens.revoke(tx, ada.id, at=NOW, actor="root") == (ada.id,)
        assert [tokens.owner(tx, t.secret) for t in (ada, grace)] == [None, "grace@example.com"]
        assert tokens.listed(tx) == (
            NamedToken(id=ada.id, email="ada@example.com", created_at=NOW, created_by="root", revoked_at=NOW),
            NamedToken(id=grace.id, email="grace@example.com", created_at=NOW, created_by="root"),
        )


def test_a_tokens_secret_stands_nowhere(metadata: Metadata):
    with metadata.transaction() as tx:
        made = tokens.add(tx, "ada@example.com", at=NOW, actor="root")
        rows = [tuple(row) for table in (tokens.TOKENS, audit.events) for row in tx.execute(sa.select(table))]
    assert made.secret not in repr(rows)
    assert made.secret not in repr(made)


def test_what_is_no_valid_token_cannot_be_revoked(metadata: Metadata):
    with metadata.transaction() as tx, pytest.raises(NotFound):
        tokens.revoke(tx, "ada@example.com", at=NOW, actor="root")


@pytest.mark.parametrize(
    "name", ["ada", "ada@", "@example.com", "ada@example", "a b@example.com", "a" * 250 + "@example.com"]
)
def test_only_a_persons_address_names_a_token(metadata: Metadata, name: str):
    with metadata.transaction() as tx, pytest.raises(SpecInvalid) as refused:
        tokens.add(tx, name, at=NOW, actor="root")
    assert refused.value.error_code == "token-name"
