-- Databricks notebook source
-- MAGIC %md
-- MAGIC # Nightly reporting tables
-- MAGIC The legacy job that fills the tables which the notebooks of the demonstration maintain.

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.rpt_member_summary AS
SELECT state, tier, COUNT(*) AS members, CAST(NULL AS BIGINT) AS points
FROM hive_metastore.velocity_analytics_foundation.member_profile
GROUP BY state, tier;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.member_tier_current AS
SELECT member_id, tier, effective_date FROM hive_metastore.velocity_analytics_foundation.member_tier_history WHERE change_id < 2000;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.points_balance AS
SELECT member_id, SUM(CAST(points AS BIGINT)) AS balance, MAX(txn_date) AS last_activity
FROM hive_metastore.velocity_analytics_foundation.points_transaction
GROUP BY member_id;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.rpt_partner_daily AS
SELECT partner_code, txn_date, COUNT(*) AS transactions, SUM(amount) AS amount
FROM hive_metastore.velocity_analytics_foundation.points_transaction
WHERE txn_date < DATE'2024-03-01'
GROUP BY partner_code, txn_date;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.member_segment AS
SELECT member_id, 'core' AS segment, DATE'2024-01-01' AS valid_from
FROM hive_metastore.velocity_analytics_foundation.member_profile WHERE pmod(member_id, 10) = 0;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.rpt_flight_recap AS
SELECT origin, destination, COUNT(*) AS flights, SUM(distance_km) AS distance_km
FROM hive_metastore.velocity_analytics_foundation.flight_activity
WHERE flight_date < DATE'2024-02-01'
GROUP BY origin, destination;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.va_alms_prd.alms_statement AS
SELECT account_id, CAST(0 AS DECIMAL(22, 2)) AS booked, 'opening' AS note
FROM hive_metastore.va_alms_prd.alms_account WHERE account_id < 500;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.rpt_campaign_uplift (campaign STRING, responses BIGINT, conversions BIGINT);
CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.member_score (member_id BIGINT, score DOUBLE);
CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.rpt_redemption (member_id BIGINT, points BIGINT);
