-- Unusual daily cost: A product cost far more or less than on the same weekday before, by at least 50 US dollars.
-- KPI cost-anomalies, level CRITICAL, owner finops, looked at by Quartz schedule 0 30 5 * * ? UTC.
-- It rings when breaches > 0; an empty value means that the KPI is not assessed.
SELECT CASE WHEN e.found >= 1 AND (r.row_count = 0 OR r.known > 0) THEN r.breaches END AS breaches, r.row_count, e.found AS observations
FROM (SELECT count(*) AS row_count, count_if(status = 'CRITICAL') AS breaches, count_if(status <> 'NOT_ASSESSED') AS known FROM (
SELECT *, CASE WHEN anomaly_score IS NULL THEN 'NOT_ASSESSED' WHEN anomaly_score >= 6 THEN 'CRITICAL' WHEN anomaly_score >= 3.5 THEN 'WARN' ELSE 'OK' END AS status FROM (
WITH known AS (
  SELECT billing_origin_product AS product, usage_date AS day, sum(effective_cost) AS cost
  FROM `system_health`.`billing`.`fact_usage` WHERE effective_cost IS NOT NULL AND usage_date >= date_sub(date_sub(current_date(), 7), 56) AND usage_date < current_date()
  GROUP BY 1, 2),
days AS (SELECT explode(sequence(date_sub(date_sub(current_date(), 7), 56), date_sub(current_date(), 1), interval 1 day)) AS day),
begun AS (SELECT product, min(day) AS first_day FROM known GROUP BY product),
daily AS (
  SELECT b.product, d.day, coalesce(k.cost, cast(0 as decimal(38,19))) AS cost
  FROM begun b JOIN days d ON d.day >= b.first_day
  LEFT JOIN known k ON k.product <=> b.product AND k.day = d.day),
before AS (
  SELECT n.product, n.day, n.cost, cast(p.cost as double) AS earlier
  FROM daily n JOIN daily p ON p.product <=> n.product AND p.day < n.day AND p.day >= date_sub(n.day, 56)
    AND datediff(n.day, p.day) % 7 = 0
  WHERE n.day >= date_sub(current_date(), 7)),
middle AS (
  SELECT product, day, cost, median(earlier) AS median_cost, count(*) AS weeks FROM before GROUP BY 1, 2, 3),
spread AS (
  SELECT m.product, m.day, median(abs(b.earlier - m.median_cost)) AS deviation
  FROM middle m JOIN before b ON b.product <=> m.product AND b.day = m.day GROUP BY 1, 2),
scored AS (
  SELECT d.product, d.day, d.cost, m.median_cost, m.weeks, cast(d.cost as double) - m.median_cost AS difference,
         0.6745 * (cast(d.cost as double) - m.median_cost) / greatest(s.deviation, 0.01 * m.median_cost, 1) AS z
  FROM daily d LEFT JOIN middle m ON m.product <=> d.product AND m.day = d.day
  LEFT JOIN spread s ON s.product <=> d.product AND s.day = d.day
  WHERE d.day >= date_sub(current_date(), 7))
SELECT day, product, CASE WHEN weeks >= 4 THEN CASE WHEN abs(difference) >= 50 THEN round(abs(z), 4) ELSE 0 END END
         AS anomaly_score,
       cost, round(median_cost, 4) AS median_cost, round(difference, 4) AS difference, round(z, 4) AS robust_z,
       coalesce(weeks, 0) AS weeks
FROM scored ORDER BY anomaly_score DESC NULLS LAST, day, product
)
)) r
CROSS JOIN (SELECT count(*) AS found FROM `system_health`.`billing`.`fact_usage` WHERE effective_cost IS NOT NULL AND usage_date >= date_sub(current_date(), 7) AND usage_date < current_date()) e
