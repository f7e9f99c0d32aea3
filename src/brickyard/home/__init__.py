"""The home folder and the processes that live in it: PostgreSQL, the local workspace, the web service, one worker."""
