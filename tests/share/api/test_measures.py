"""What share tells whoever watches the service."""

from __future__ import annotations

from brickyard.context import Context
from brickyard.kernel.measure import Measure
from brickyard.share.api import measured
from brickyard.web.metrics import Metrics


def test_everything_is_counted_from_the_start_so_that_an_alert_has_a_series(house: Context):
    found = measured(house)
    assert {(measure.name, *measure.labels.values()): measure.value for measure in found} == {
        ("share_packs", "IN_PROGRESS"): 0,
        ("share_packs", "COMPLETED"): 0,
        ("share_packs", "FAILED"): 0,
        ("share_packs", "VALIDATION_FAILED"): 0,
        ("share_runs", "pending-approval"): 0,
        ("share_runs", "queued"): 0,
        ("share_runs", "waiting"): 0,
        ("share_runs", "running"): 0,
        ("share_runs", "completed"): 0,
        ("share_runs", "failed"): 0,
        ("share_runs", "validation-failed"): 0,
        ("share_runs", "superseded"): 0,
        ("share_notifications", "PENDING"): 0,
        ("share_notifications", "SENT"): 0,
        ("share_notifications", "FAILED"): 0,
        ("share_jobs_waiting",): 0,
        ("share_links_waiting",): 0,
    }


def test_what_rooms_measure_stands_in_the_text_for_prometheus(house: Context):
    told = [Measure("share_packs", "Packs.", 2, {"status": "FAILED"}), Measure("share_azure_up", "Up.", 1)]
    lines = Metrics(lambda _: told).text(house).decode().splitlines()
    assert 'brickyard_share_packs{status="FAILED"} 2.0' in lines
    assert "brickyard_share_azure_up 1.0" in lines
