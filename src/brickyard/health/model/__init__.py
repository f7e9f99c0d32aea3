"""The nouns of health: sources, contracts, compiled tables, batches and what was found."""
