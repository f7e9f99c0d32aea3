# Databricks notebook source
# MAGIC %md
# MAGIC # Copy a table for a partner
# MAGIC Brickyard puts this notebook here and its pipelines run it. One pipeline copies one table, as its configuration says:
# MAGIC
# MAGIC | key | meaning |
# MAGIC |---|---|
# MAGIC | `pipelines.source_table` | what is copied, `catalog.schema.table`, with its change feed on |
# MAGIC | `pipelines.target_table` | the name of the copy in the pipeline's own schema |
# MAGIC | `pipelines.keys` | comma-separated key columns; not needed for a full refresh |
# MAGIC | `pipelines.scd_type` | `1`: the rows as they are now · `2`: every version of a row · `full_refresh`: all rows anew each time |
# MAGIC | `pipelines.sequence_by` | what orders the changes of a key, `_commit_version` |
# MAGIC | `pipelines.delete_expr` | which changes take a row away, `_change_type = 'delete'` |

# COMMAND ----------

from pyspark import pipelines as dp
from pyspark.sql.functions import col, expr

# COMMAND ----------

SOURCE = spark.conf.get("pipelines.source_table")  # noqa: F821 — every notebook has `spark`
TARGET = spark.conf.get("pipelines.target_table")  # noqa: F821
KEYS = [key.strip() for key in spark.conf.get("pipelines.keys", "").split(",") if key.strip()]  # noqa: F821
SCD_TYPE = spark.conf.get("pipelines.scd_type", "2")  # noqa: F821
SEQUENCE = spark.conf.get("pipelines.sequence_by", "_commit_version")  # noqa: F821
DELETES = spark.conf.get("pipelines.delete_expr", "_change_type = 'delete'")  # noqa: F821
FEED_COLUMNS = ["_change_type", "_commit_version", "_commit_timestamp"]

# COMMAND ----------

if SCD_TYPE == "full_refresh":

    @dp.materialized_view(name=TARGET, comment=f"All rows of {SOURCE}")
    def copy():
        return spark.read.table(SOURCE)  # noqa: F821

else:

    @dp.temporary_view(name="changes")
    def changes():
        feed = spark.readStream.option("readChangeFeed", "true").table(SOURCE)  # noqa: F821
        return feed.where(col("_change_type") != "update_preimage")

    dp.create_streaming_table(name=TARGET, comment=f"{SOURCE}, SCD type {SCD_TYPE}")
    dp.create_auto_cdc_flow(
        target=TARGET,
        source="changes",
        keys=KEYS,
        sequence_by=col(SEQUENCE),
        apply_as_deletes=expr(DELETES),
        except_column_list=FEED_COLUMNS,
        stored_as_scd_type=SCD_TYPE,
    )
