"""The worker process: `python -m brickyard.worker` takes jobs from the queue until it is told to stop."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

import structlog

from brickyard import context, rooms
from brickyard.kernel import logs
from brickyard.kernel.errors import BrickyardError
from brickyard.queue import work
from brickyard.settings import from_arguments

log = structlog.stdlib.get_logger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the worker; returns the exit code."""
    settings = from_arguments("brickyard.worker", arguments)
    logs.configure(settings.log_format, settings.log_level)
    rooms.load("tasks")
    house = context.build(settings)
    try:
        house.metadata.migrate()
        sys.stdout.write(json.dumps({"worker": os.getpid()}) + "\n")
        sys.stdout.flush()
        work.serve(house.queue, house)
    except BrickyardError as error:
        log.error(error.message, code=error.error_code, remedy=error.remedy)
        return error.exit_code
    finally:
        house.metadata.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
