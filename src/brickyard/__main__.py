"""`python -m brickyard` is `brickyard`."""

from brickyard.cli import main

main()
