"""The HTTP door: one application that mounts the rooms."""
