"""Provision Delta Sharing from share packs, with a plan first, a journal of every step, and a read as the recipient."""
