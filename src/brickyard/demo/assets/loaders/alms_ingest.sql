-- Databricks notebook source
-- MAGIC %md
-- MAGIC # ALMS ingest
-- MAGIC Accounts and bookings of the loyalty management system, to Hive and to the silver layer.

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.va_alms_prd.alms_account AS
SELECT
  id AS account_id,
  pmod(xxhash64(id, 91, :seed), 40000) AS member_id,
  CAST(pmod(xxhash64(id, 92, :seed), 200000) / 100.0 AS DECIMAL(12, 2)) AS balance,
  CASE WHEN pmod(id, 31) = 0 THEN 'CLOSED' ELSE 'OPEN' END AS status
FROM range(30000);

CREATE OR REPLACE TABLE edp_prd.silver_alms.alms_account AS SELECT * FROM hive_metastore.va_alms_prd.alms_account;

-- COMMAND ----------

CREATE OR REPLACE TABLE hive_metastore.va_alms_prd.alms_booking AS
SELECT
  id AS booking_id,
  pmod(xxhash64(id, 93, :seed), 30000) AS account_id,
  CAST(pmod(xxhash64(id, 94, :seed), 120000) / 100.0 AS DECIMAL(12, 2)) AS amount,
  date_add(DATE'2024-06-01', CAST(pmod(xxhash64(id, 95, :seed), 180) AS INT)) AS booking_date
FROM range(35000);

CREATE OR REPLACE TABLE edp_prd.silver_alms.alms_booking AS SELECT * FROM hive_metastore.va_alms_prd.alms_booking;
