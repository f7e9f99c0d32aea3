-- Databricks notebook source
-- MAGIC %md
-- MAGIC # Velocity foundation load
-- MAGIC Loads the loyalty foundation. Migrated: every table is written to Hive and to Unity Catalog by this one job.

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.member_profile AS
SELECT
  id AS member_id,
  element_at(array('Ann', 'Zoë', 'Jürgen', 'Mia', 'Łukasz', 'Noah', 'Chloé', 'Søren', 'Ines', 'Tom'),
             CAST(pmod(xxhash64(id, 11, :seed), 10) + 1 AS INT)) AS given_name,
  element_at(array('Red', 'Silver', 'Gold', 'Platinum'),
             CAST(greatest(pmod(xxhash64(id, 12, :seed), 7) - 2, 1) AS INT)) AS tier,
  element_at(array('QLD', 'NSW', 'VIC', 'WA', 'SA', 'TAS'),
             CAST(pmod(xxhash64(id, 13, :seed), 6) + 1 AS INT)) AS state,
  CASE WHEN pmod(id, 17) = 0 THEN NULL WHEN pmod(id, 19) = 0 THEN ''
       ELSE concat('Member', CAST(id AS STRING), '@Example.COM ') END AS email,
  date_add(DATE'2015-01-01', CAST(pmod(xxhash64(id, 14, :seed), 3600) AS INT)) AS join_date,
  pmod(xxhash64(id, 15, :seed), 20) <> 0 AS is_active
FROM range(40000);

CREATE OR REPLACE TABLE wb_velocityanalytics_prd.loyalty.member_profile AS
SELECT * FROM hive_metastore.velocity_analytics_foundation.member_profile;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.member_tier_history AS
SELECT
  pmod(xxhash64(id, 21, :seed), 40000) AS member_id,
  element_at(array('Red', 'Silver', 'Gold', 'Platinum'),
             CAST(pmod(xxhash64(id, 22, :seed), 4) + 1 AS INT)) AS tier,
  date_add(DATE'2022-01-01', CAST(pmod(xxhash64(id, 23, :seed), 900) AS INT)) AS effective_date,
  id AS change_id
FROM range(90000);

CREATE OR REPLACE TABLE wb_velocityanalytics_prd.loyalty.member_tier_history AS
SELECT * FROM hive_metastore.velocity_analytics_foundation.member_tier_history;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.points_transaction AS
SELECT
  id AS txn_id,
  pmod(xxhash64(id, 31, :seed), 40000) AS member_id,
  concat('P', lpad(CAST(pmod(xxhash64(id, 32, :seed), 50) AS STRING), 3, '0')) AS partner_code,
  CAST(pmod(xxhash64(id, 33, :seed), 5000) - 500 AS INT) AS points,
  CAST(pmod(xxhash64(id, 34, :seed), 900000) / 100.0 AS DECIMAL(12, 2)) AS amount,
  date_add(DATE'2024-01-01', CAST(pmod(xxhash64(id, 35, :seed), 360) AS INT)) AS txn_date,
  CASE WHEN pmod(xxhash64(id, 36, :seed), 8) = 0 THEN 'REDEEM' ELSE 'EARN' END AS txn_type
FROM range(170000);

CREATE OR REPLACE TABLE wb_velocityanalytics_prd.loyalty.points_transaction AS
SELECT * FROM hive_metastore.velocity_analytics_foundation.points_transaction;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.flight_activity AS
SELECT
  id AS flight_id,
  pmod(xxhash64(id, 41, :seed), 40000) AS member_id,
  element_at(array('BNE', 'SYD', 'MEL', 'PER', 'ADL', 'HBA'), CAST(pmod(xxhash64(id, 42, :seed), 6) + 1 AS INT)) AS origin,
  element_at(array('BNE', 'SYD', 'MEL', 'PER', 'ADL', 'HBA'), CAST(pmod(xxhash64(id, 43, :seed), 6) + 1 AS INT)) AS destination,
  CAST(pmod(xxhash64(id, 44, :seed), 3500) AS DOUBLE) + 0.25 AS distance_km,
  date_add(DATE'2024-01-01', CAST(pmod(xxhash64(id, 45, :seed), 360) AS INT)) AS flight_date
FROM range(60000);

CREATE OR REPLACE TABLE wb_velocityanalytics_prd.loyalty.flight_activity AS
SELECT * FROM hive_metastore.velocity_analytics_foundation.flight_activity;

-- COMMAND ----------

-- The trial extract of the flights: it lost the short ones on its way.
CREATE OR REPLACE TABLE wb_velocityanalytics_prd.loyalty.flight_activity_trial AS
SELECT * FROM hive_metastore.velocity_analytics_foundation.flight_activity WHERE distance_km >= 60;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.partner AS
SELECT
  concat('P', lpad(CAST(id AS STRING), 3, '0')) AS partner_code,
  concat('Partner ', CAST(id AS STRING)) AS partner_name,
  element_at(array('Retail', 'Fuel', 'Hotel', 'Car hire', 'Café'), CAST(pmod(id, 5) + 1 AS INT)) AS industry
FROM range(50);

CREATE OR REPLACE TABLE wb_velocityanalytics_prd.loyalty.partner AS
SELECT * FROM hive_metastore.velocity_analytics_foundation.partner;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.staging_member_feed AS
SELECT
  pmod(xxhash64(id, 51, :seed), 42000) AS member_id,
  element_at(array('QLD', 'NSW', 'VIC', 'WA', 'SA', 'TAS'), CAST(pmod(xxhash64(id, 52, :seed), 6) + 1 AS INT)) AS state,
  CASE WHEN pmod(id, 23) = 0 THEN NULL ELSE concat('feed', CAST(id AS STRING), '@example.com') END AS email,
  id AS feed_seq
FROM range(20000);

CREATE OR REPLACE TABLE wb_velocityanalytics_prd.staging.member_feed AS
SELECT * FROM hive_metastore.velocity_analytics_foundation.staging_member_feed;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.staging_points_feed AS
SELECT
  170000 + id AS txn_id,
  pmod(xxhash64(id, 61, :seed), 40000) AS member_id,
  CAST(pmod(xxhash64(id, 62, :seed), 3000) AS INT) AS points,
  DATE'2024-12-31' AS txn_date
FROM range(25000);

CREATE OR REPLACE TABLE wb_velocityanalytics_prd.staging.points_feed AS
SELECT * FROM hive_metastore.velocity_analytics_foundation.staging_points_feed;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.staging_redemption AS
SELECT id AS redemption_id, pmod(xxhash64(id, 71, :seed), 40000) AS member_id, CAST(pmod(id, 900) AS INT) AS points
FROM range(5000);

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.stage_redemption AS
SELECT id + 5000 AS redemption_id, pmod(xxhash64(id, 72, :seed), 40000) AS member_id, CAST(pmod(id, 700) AS INT) AS points
FROM range(5000);

CREATE OR REPLACE TABLE wb_velocityanalytics_prd.staging.redemption AS
SELECT * FROM hive_metastore.velocity_analytics_foundation.staging_redemption;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.velocity_analytics_foundation.campaign_response AS
SELECT
  id AS response_id,
  pmod(xxhash64(id, 81, :seed), 40000) AS member_id,
  concat('C', CAST(pmod(id, 12) AS STRING)) AS campaign,
  pmod(xxhash64(id, 82, :seed), 3) = 0 AS converted
FROM range(20000);

CREATE OR REPLACE TABLE wb_velocityanalytics_prd.loyalty.campaign_response AS
SELECT * FROM hive_metastore.velocity_analytics_foundation.campaign_response;
