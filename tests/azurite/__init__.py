"""The Azure Storage emulator, from npm with pinned versions, for the tests of the queue."""
