"""The migrations of the metadata schema, run by `brickyard.metadata.migrate`."""
