"""Jobs and runs: what is asked (`model`, `settings`), what must happen next (`machine`, pure), who does it (`scheduler`)."""
