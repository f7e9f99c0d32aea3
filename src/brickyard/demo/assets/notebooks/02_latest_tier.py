# Databricks notebook source
# MAGIC %md
# MAGIC # Latest tier of each member
# MAGIC
# MAGIC | step | table |
# MAGIC |------|-------|
# MAGIC | read | velocity_analytics_foundation.member_tier_history |
# MAGIC | write | velocity_analytics_foundation.member_tier_current |

# COMMAND ----------

import datetime

started = datetime.datetime.now()
# the history keeps every change; we want the last one for each member
MESSAGE = "refreshed velocity_analytics_foundation.member_tier_current"

# COMMAND ----------

# MAGIC %sql
# MAGIC -- a temp view that is named like the table
# MAGIC CREATE OR REPLACE TEMP VIEW member_tier_history AS
# MAGIC SELECT member_id, tier, effective_date, change_id
# MAGIC FROM velocity_analytics_foundation.member_tier_history
# MAGIC WHERE effective_date >= DATE'2022-03-01';

# COMMAND ----------

# MAGIC %sql
# MAGIC TRUNCATE TABLE velocity_analytics_foundation.member_tier_current

# COMMAND ----------

# MAGIC %sql
# MAGIC INSERT INTO velocity_analytics_foundation.member_tier_current
# MAGIC SELECT member_id, tier, effective_date
# MAGIC FROM (
# MAGIC   SELECT member_id, tier, effective_date,
# MAGIC          ROW_NUMBER() OVER (PARTITION BY member_id ORDER BY effective_date DESC, change_id DESC) AS rn
# MAGIC   FROM member_tier_history
# MAGIC ) ranked
# MAGIC WHERE rn = 1

# COMMAND ----------

# MAGIC %sql
# MAGIC ANALYZE TABLE velocity_analytics_foundation.member_tier_current COMPUTE STATISTICS

# COMMAND ----------

rows = spark.table("velocity_analytics_foundation.member_tier_current").count()
print(f"{MESSAGE}: {rows} rows, started {started:%H:%M}")
assert rows > 0, "no member has a tier"
