"""The worker as the house starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from brickyard.metadata import Metadata
from brickyard.queue import JobState, Queue
from brickyard.settings import Settings


def test_it_migrates_takes_jobs_and_stops_when_told(tmp_path: Path, database_url: str):
    process = subprocess.Popen(
        [sys.executable, "-m", "brickyard.worker", "--home", str(tmp_path)],
        env={**os.environ, "DATABASE_URL": database_url, "BRICKYARD_QUEUE_ATTEMPTS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    metadata = Metadata(database_url)
    queue = Queue(metadata, Settings())
    metadata.migrate()  # both may start at once
    with metadata.transaction() as tx:
        job = queue.defer(tx, "no.such.task")
    deadline = time.monotonic() + 120
    while _state(queue, job) != JobState.FAILED and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    with metadata.read() as tx:
        assert (_state(queue, job), queue.workers_alive(tx), process.returncode) == (JobState.FAILED, 0, 0)
    assert "Task was not found" in err
    metadata.close()


def _state(queue: Queue, job: int) -> JobState | None:
    with queue.metadata.read() as tx:
        return queue.state(tx, job)
