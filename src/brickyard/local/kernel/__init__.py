"""The processes that run tasks: a warm fork server, and the kernel of a notebook with its magics, dbutils and display."""
