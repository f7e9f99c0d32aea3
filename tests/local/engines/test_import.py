"""pyspark can be imported from a program without a file."""

from __future__ import annotations

import subprocess
import sys


def test_a_program_given_on_the_command_line_can_connect():
    program = (
        "from brickyard.local.engines.pyspark_import import outside_doctests\n"
        "with outside_doctests():\n"
        "    import pyspark.sql.connect.session\n"
        "print('imported')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "imported\n")
