"""What is wanted and what is there: share packs (`pack`, `parse`), observations (`current`), steps and plans (`steps`), runs."""
