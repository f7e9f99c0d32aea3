# Databricks notebook source
%md
## Redemptions
Two feeds that two teams deliver: `staging_` from the card, `stage_` from the web shop.

# COMMAND ----------

%sql
CREATE OR REPLACE TEMP VIEW redemptions AS
SELECT redemption_id, member_id, points FROM velocity_analytics_foundation.staging_redemption
UNION ALL
SELECT redemption_id, member_id, points FROM velocity_analytics_foundation.stage_redemption

# COMMAND ----------

%sql
TRUNCATE TABLE velocity_analytics_foundation.rpt_redemption

# COMMAND ----------

%sql
INSERT INTO velocity_analytics_foundation.rpt_redemption
SELECT member_id, SUM(CAST(points AS BIGINT)) AS points
FROM redemptions
GROUP BY 1

# COMMAND ----------

total = spark.sql("SELECT SUM(points) AS points FROM velocity_analytics_foundation.rpt_redemption").collect()[0]["points"]
print("redeemed:", total)
