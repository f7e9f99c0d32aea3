-- Attribution falls: The untagged part of an owner's cost grew by five points within a week.
-- KPI untagged-share, level WARN, owner finops, looked at by Quartz schedule 0 30 5 * * ? UTC.
-- It rings when breaches > 0; an empty value means that the KPI is not assessed.
SELECT CASE WHEN e.found >= 1 AND (r.row_count = 0 OR r.known > 0) THEN r.breaches END AS breaches, r.row_count, e.found AS observations
FROM (SELECT count(*) AS row_count, count_if(status IN ('WARN', 'CRITICAL')) AS breaches, count_if(status <> 'NOT_ASSESSED') AS known FROM (
SELECT *, CASE WHEN change_points IS NULL THEN 'NOT_ASSESSED' WHEN change_points >= 10 THEN 'CRITICAL' WHEN change_points >= 5 THEN 'WARN' ELSE 'OK' END AS status FROM (
WITH usage AS (
  SELECT coalesce(identity_metadata_run_as, 'unknown') AS owner, usage_date >= date_sub(current_date(), 7) AS recent,
         effective_cost AS cost, is_tagged
  FROM `system_health`.`billing`.`fact_usage` WHERE usage_date >= date_sub(current_date(), 14) AND usage_date < current_date()),
lines AS (SELECT * FROM usage UNION ALL SELECT '(all)', recent, cost, is_tagged FROM usage),
sums AS (
  SELECT owner, sum(CASE WHEN recent THEN cost END) AS cost, sum(CASE WHEN NOT recent THEN cost END) AS before,
         coalesce(sum(CASE WHEN recent AND NOT is_tagged THEN cost END), cast(0 as decimal(38,19))) AS untagged_cost,
         coalesce(sum(CASE WHEN NOT recent AND NOT is_tagged THEN cost END), cast(0 as decimal(38,19))) AS untagged_before
  FROM lines GROUP BY owner),
shares AS (
  SELECT owner, untagged_cost, cost,
         round(100 * cast(untagged_cost as double) / nullif(cast(cost as double), 0), 4) AS untagged_percent,
         round(100 * cast(untagged_before as double) / nullif(cast(before as double), 0), 4) AS previous_percent
  FROM sums WHERE cost IS NOT NULL)
SELECT owner, untagged_percent, round(untagged_percent - previous_percent, 4) AS change_points, previous_percent,
       untagged_cost, cost
FROM shares ORDER BY cost DESC, owner
)
)) r
CROSS JOIN (SELECT count(*) AS found FROM `system_health`.`billing`.`fact_usage` WHERE effective_cost IS NOT NULL AND usage_date >= date_sub(current_date(), 7) AND usage_date < current_date()) e
