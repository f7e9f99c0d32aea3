-- Usage without a price: At least 5 percent of a SKU's usage has no price, so costs are too low.
-- KPI unpriced-share, level CRITICAL, owner finops, looked at by Quartz schedule 0 30 5 * * ? UTC.
-- It rings when breaches > 0; an empty value means that the KPI is not assessed.
SELECT CASE WHEN e.found >= 1 AND (r.row_count = 0 OR r.known > 0) THEN r.breaches END AS breaches, r.row_count, e.found AS observations
FROM (SELECT count(*) AS row_count, count_if(status = 'CRITICAL') AS breaches, count_if(status <> 'NOT_ASSESSED') AS known FROM (
SELECT *, CASE WHEN unpriced_percent IS NULL THEN 'NOT_ASSESSED' WHEN unpriced_percent >= 5 THEN 'CRITICAL' WHEN unpriced_percent >= 0.0001 THEN 'WARN' ELSE 'OK' END AS status FROM (
WITH used AS (
  SELECT sku_name, cloud, usage_unit, cast(sum(usage_quantity) as decimal(38,18)) AS quantity,
         cast(coalesce(sum(CASE WHEN effective_price IS NULL THEN usage_quantity END), 0) as decimal(38,18))
           AS unpriced_quantity
  FROM `system_health`.`billing`.`fact_usage` WHERE usage_date >= date_sub(current_date(), 30) AND usage_date < current_date()
  GROUP BY sku_name, cloud, usage_unit)
SELECT sku_name, cloud, usage_unit,
       round(100 * cast(unpriced_quantity as double) / nullif(cast(quantity as double), 0), 4) AS unpriced_percent,
       unpriced_quantity, quantity
FROM used ORDER BY unpriced_percent DESC NULLS LAST, sku_name, cloud, usage_unit
)
)) r
CROSS JOIN (SELECT count(*) AS found FROM `system_health`.`billing`.`fact_usage` WHERE usage_date >= date_sub(current_date(), 30) AND usage_date < current_date()) e
