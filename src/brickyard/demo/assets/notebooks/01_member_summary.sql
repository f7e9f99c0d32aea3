-- Databricks notebook source
-- MAGIC %md
-- MAGIC ## Member summary
-- MAGIC Rebuilds `rpt_member_summary` every morning. Owner: loyalty reporting.

-- COMMAND ----------

-- DBTITLE 1,What we start from
-- velocity_analytics_foundation.member_profile is the master; do not read the feed here
USE velocity_analytics_foundation;

-- COMMAND ----------

CREATE OR REPLACE TEMPORARY VIEW summary_source AS
WITH member_profile AS (
  -- a name of our own, not the table
  SELECT member_id, tier, state
  FROM velocity_analytics_foundation.active_member
),
points AS (
  SELECT member_id, SUM(CAST(points AS BIGINT)) AS points
  FROM velocity_analytics_foundation.points_transaction
  WHERE txn_type = 'EARN'
  GROUP BY 1
)
SELECT p.state, p.tier, p.member_id, COALESCE(x.points, 0) AS points
FROM member_profile p
LEFT JOIN points x ON x.member_id = p.member_id;

-- COMMAND ----------

TRUNCATE TABLE velocity_analytics_foundation.rpt_member_summary;

INSERT INTO velocity_analytics_foundation.rpt_member_summary
SELECT
  state,
  tier,
  COUNT(*)    AS members,
  SUM(points) AS points
FROM summary_source
GROUP BY 1, 2;

-- COMMAND ----------

OPTIMIZE velocity_analytics_foundation.rpt_member_summary;

-- COMMAND ----------

SELECT state, SUM(members) AS members
FROM velocity_analytics_foundation.rpt_member_summary
GROUP BY state
ORDER BY 2 DESC, 1;
