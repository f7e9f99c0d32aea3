CREATE CATALOG IF NOT EXISTS retail COMMENT 'What the company sells and to whom';
CREATE CATALOG IF NOT EXISTS partner_ext COMMENT 'What pipelines copy for partners';
CREATE SCHEMA IF NOT EXISTS retail.sales;
CREATE SCHEMA IF NOT EXISTS retail.reference;
CREATE OR REPLACE TABLE retail.sales.orders
PARTITIONED BY (region)
TBLPROPERTIES (delta.enableChangeDataFeed = true)
AS SELECT
  id AS order_id,
  id % 997 AS customer_id,
  CASE id % 3 WHEN 0 THEN 'AMER' WHEN 1 THEN 'EMEA' ELSE 'APAC' END AS region,
  date_add(DATE'2026-01-01', CAST(id % 300 AS INT)) AS ordered_on,
  CAST((id * 37 % 50000) / 100 AS DECIMAL(10, 2)) AS amount
FROM range(30000);
CREATE OR REPLACE TABLE retail.sales.order_lines AS
SELECT
  id AS line_id,
  id % 30000 AS order_id,
  id % 400 AS product_id,
  CAST(1 + id % 7 AS INT) AS quantity
FROM range(60000);
CREATE OR REPLACE TABLE retail.sales.returns AS
SELECT id AS return_id, id * 11 % 30000 AS order_id, 'damaged' AS reason FROM range(1200);
CREATE OR REPLACE TABLE retail.reference.products
TBLPROPERTIES (delta.enableChangeDataFeed = true)
AS SELECT
  id AS product_id,
  concat('Product ', id) AS name,
  CASE WHEN id % 2 = 0 THEN 'garden' ELSE 'kitchen' END AS category,
  CAST(5 + id * 13 % 200 AS DECIMAL(10, 2)) AS price
FROM range(400);
CREATE OR REPLACE TABLE retail.reference.stores AS
SELECT id AS store_id, concat('Store ', id) AS name, 'EMEA' AS region FROM range(40);
CREATE OR REPLACE VIEW retail.sales.daily_revenue AS
SELECT ordered_on, region, sum(amount) AS revenue, count(*) AS orders FROM retail.sales.orders GROUP BY ordered_on, region
