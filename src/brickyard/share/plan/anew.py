"""Recipients that cannot become what is wanted by a change."""

from __future__ import annotations

from brickyard.share.model.current import RecipientState
from brickyard.share.model.pack import RecipientSpec, RecipientType
from brickyard.share.plan.case import Case


def made_anew(case: Case) -> frozenset[str]:
    """The folded names of the recipients that are deleted and made again, as the sender allows."""
    pairs = ((spec, case.current.recipients.get(spec.name.lower())) for spec in case.pack.recipient)
    found = (spec.name.lower() for spec, state in pairs if state is not None and must_be_anew(spec, state))
    return frozenset(found) if case.replace else frozenset()


def must_be_anew(spec: RecipientSpec, state: RecipientState) -> str | None:
    """Return why the recipient cannot become the declared one by a change, or None when it can."""
    if spec.type is not state.type:
        return f"it is {state.type} and the pack says {spec.type}"
    wanted, present = spec.recipient_databricks_org.strip(), (state.metastore or "").strip()
    if spec.type is RecipientType.D2D and wanted.lower() != present.lower():
        return f"it is for the metastore {present or 'unknown'} and the pack says {wanted}"
    return None
