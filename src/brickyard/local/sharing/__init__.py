"""Delta Sharing: shares and recipients (`model`, `store`), and the open protocol that a recipient's client reads."""
