"""What a task of the Databricks job runs: the same flow, on the cluster's own Spark session."""
