"""Files of the local workspace: notebooks and folders, volumes and DBFS, behind one path resolver."""
