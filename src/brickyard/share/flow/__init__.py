"""The story of share: submit a pack, provision it, approve it, roll it back; see what drifted, who reads what, what falls due.

A pack that comes in is remembered with its run and its job in one transaction (`submit`). A worker brings the run from
wherever it stands to its end (`provision`, which may be killed at any point): lease, look, plan, refuse or wait for the
approval, perform the steps by the journal, remember what is there now.
"""

from brickyard.share.flow.access import access
from brickyard.share.flow.approve import approve, decline
from brickyard.share.flow.bring_in import import_live
from brickyard.share.flow.deliver import deliver
from brickyard.share.flow.direct import direct
from brickyard.share.flow.drift import drift
from brickyard.share.flow.due import expire_due, rotate_due
from brickyard.share.flow.notify import someone_to_tell, tell_due
from brickyard.share.flow.provision import gave_up, provision
from brickyard.share.flow.receive import receive
from brickyard.share.flow.record import history, list_packs, run_of, status
from brickyard.share.flow.relay import recover, send_due, something_to_send
from brickyard.share.flow.rollback import preview_rollback, rollback
from brickyard.share.flow.rotate import preview_rotation, rotate
from brickyard.share.flow.standing import standing, standings
from brickyard.share.flow.submit import plan_of, preview, submit
from brickyard.share.flow.sync import sync
from brickyard.share.flow.tenants import import_tenants
from brickyard.share.flow.tidy import tidy
from brickyard.share.flow.verify import drop_probes, verify
from brickyard.share.flow.wait import wait

__all__ = [
    "access",
    "approve",
    "decline",
    "deliver",
    "direct",
    "drift",
    "drop_probes",
    "expire_due",
    "gave_up",
    "history",
    "import_live",
    "import_tenants",
    "list_packs",
    "plan_of",
    "preview",
    "preview_rollback",
    "preview_rotation",
    "provision",
    "receive",
    "recover",
    "rollback",
    "rotate",
    "rotate_due",
    "run_of",
    "send_due",
    "someone_to_tell",
    "something_to_send",
    "standing",
    "standings",
    "status",
    "submit",
    "sync",
    "tell_due",
    "tidy",
    "verify",
    "wait",
]
