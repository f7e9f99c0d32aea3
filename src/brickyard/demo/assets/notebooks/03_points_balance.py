# Databricks notebook source
# MAGIC %md
# MAGIC # Points balance
# MAGIC Folds the day's feed into `points_balance`.

# COMMAND ----------

dbutils.widgets.text("base_schema", "velocity_analytics_foundation")
dbutils.widgets.text("delta_days", "3")

base_schema = dbutils.widgets.get("base_schema")
delta_days = int(dbutils.widgets.get("delta_days"))

# COMMAND ----------

# the feed holds each transaction once or more; the last one counts
feed = spark.sql(f"""
    SELECT member_id, SUM(CAST(points AS BIGINT)) AS points, MAX(txn_date) AS last_activity
    FROM {base_schema}.staging_points_feed
    WHERE txn_date >= date_sub(DATE'2025-01-01', {delta_days})
    GROUP BY member_id
""")
feed.createOrReplaceTempView("feed")

# COMMAND ----------

spark.sql(f"""
    MERGE INTO {base_schema}.points_balance AS b
    USING feed AS f
    ON b.member_id = f.member_id
    WHEN MATCHED THEN UPDATE SET balance = b.balance + f.points, last_activity = f.last_activity
    WHEN NOT MATCHED THEN INSERT (member_id, balance, last_activity) VALUES (f.member_id, f.points, f.last_activity)
""")

# COMMAND ----------

for table in ["points_balance", "points_transaction"]:
    rows = spark.sql(f"SELECT COUNT(*) AS n FROM {base_schema}.{table}").collect()[0]["n"]
    print(f"{table}: {rows} rows")

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT COUNT(*) AS members, SUM(balance) AS balance FROM ${base_schema}.points_balance
