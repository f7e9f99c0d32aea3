"""The demonstration: a sample lakehouse with a history, ten legacy notebooks, and the story that migrates them."""
