"""What every floor stands on: errors, the clock, names, assets and progress. Imports nothing of ours."""
