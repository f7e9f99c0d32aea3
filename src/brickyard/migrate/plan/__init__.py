"""Pure decisions of migrate: which edits, which mapping, which findings, which steps."""
