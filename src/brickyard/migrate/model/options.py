"""What a run's request says of its planning: the rule pack, the mapping, the parameters."""

from __future__ import annotations

from brickyard.kernel.errors import SpecInvalid
from brickyard.migrate.model.inputs import PlanOptions, parse_mapping
from brickyard.migrate.model.pack import parse_pack, read_pack, shipped_packs
from brickyard.migrate.model.runs import RunRequest


def options(request: RunRequest) -> PlanOptions:
    """Read a request's rule pack, mapping and parameters, or raise SpecInvalid with every fault."""
    if request.rules_text is None and request.rules not in shipped_packs():
        known = ", ".join(shipped_packs())
        raise SpecInvalid(
            f"no rule pack is named {request.rules!r}",
            code="rule-pack-unknown",
            remedy=f"name one of {known}, or send the pack's text in rules_text",
        )
    pack = parse_pack(request.rules, request.rules_text) if request.rules_text else read_pack(request.rules)
    return PlanOptions(
        pack=pack,
        mappings=parse_mapping("mapping", request.mapping) if request.mapping else {},
        params=request.params,
        schema=request.default_schema,
        dbr=request.dbr,
        require_proof=request.require_proof,
    ).checked()
