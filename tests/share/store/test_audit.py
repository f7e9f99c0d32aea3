"""The audit trail of share: nothing changes without a line, and no line changes unnoticed."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection
from tests.share.store.samples import NOW, pack

from brickyard.metadata import Metadata
from brickyard.share.model.pack import Strategy
from brickyard.share.store import audit, packs


def sealed(tx: Connection, **about: str) -> int:
    pack_id = packs.save(tx, pack(**about), by="ada", strategy=Strategy.NEW).pack_id
    return audit.seal(tx, at=NOW, actor="ada", action="SubmitPack", subject=str(pack_id)).id


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE deltashare.audit_trail SET performed_by = 'eve' WHERE entity_type = 'share_pack'",
        "UPDATE deltashare.audit_trail SET new_values = '{}' WHERE entity_type = 'tenant'",
        "UPDATE deltashare.audit_trail SET timestamp = timestamp + interval '1 s' WHERE entity_type = 'tenant'",
        "DELETE FROM deltashare.audit_trail WHERE entity_type = 'request'",
    ],
)
def test_a_line_that_was_changed_behind_the_triggers_back_is_found(metadata: Metadata, change: str):
    with metadata.transaction() as tx:
        first = sealed(tx)
    with metadata.transaction() as tx:
        tx.exec_driver_sql("ALTER TABLE deltashare.audit_trail DISABLE TRIGGER USER")
        tx.exec_driver_sql(change)
    with metadata.transaction() as tx:
        sealed(tx, business_line="Wholesale")
        assert [fault.id for fault in audit.verify(tx)] == [first]


def test_a_change_that_cannot_leave_its_line_does_not_happen(metadata: Metadata):
    with metadata.transaction() as tx:
        tx.exec_driver_sql("ALTER TABLE deltashare.audit_trail ADD CONSTRAINT full_up CHECK (false) NOT VALID")
    with pytest.raises(Exception, match="full_up"), metadata.transaction() as tx:
        sealed(tx)
    with metadata.read() as tx:
        assert packs.page(tx) == ()
