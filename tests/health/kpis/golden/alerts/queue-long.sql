-- Queries wait for a minute: One statement in twenty waits for a minute or longer.
-- KPI query-queue-p95, level CRITICAL, owner platform, looked at by Quartz schedule 0 30 5 * * ? UTC.
-- It rings when breaches > 0; an empty value means that the KPI is not assessed.
SELECT CASE WHEN e.found >= 1 AND (r.row_count = 0 OR r.known > 0) THEN r.breaches END AS breaches, r.row_count, e.found AS observations
FROM (SELECT count(*) AS row_count, count_if(status = 'CRITICAL') AS breaches, count_if(status <> 'NOT_ASSESSED') AS known FROM (
SELECT *, CASE WHEN p95_ms IS NULL THEN 'NOT_ASSESSED' WHEN p95_ms >= 60000 THEN 'CRITICAL' WHEN p95_ms >= 10000 THEN 'WARN' ELSE 'OK' END AS status FROM (
SELECT workspace_id, compute_warehouse_id AS warehouse_id,
       CASE WHEN count(queue_duration_ms) >= 20 THEN percentile(queue_duration_ms, 0.95) END AS p95_ms,
       count(queue_duration_ms) AS measured, count(*) AS statements
FROM `system_health`.`query_performance`.`fact_query_history`
WHERE is_final AND compute_warehouse_id IS NOT NULL AND start_date >= date_sub(current_date(), 7) AND start_date < current_date()
GROUP BY workspace_id, compute_warehouse_id
ORDER BY p95_ms DESC NULLS LAST, workspace_id, warehouse_id
)
)) r
CROSS JOIN (SELECT count(*) AS found FROM `system_health`.`query_performance`.`fact_query_history` WHERE is_final AND compute_warehouse_id IS NOT NULL AND queue_duration_ms IS NOT NULL AND start_date >= date_sub(current_date(), 7) AND start_date < current_date()) e
