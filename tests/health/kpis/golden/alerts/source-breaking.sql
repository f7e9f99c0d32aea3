-- A source changed: A source lost or renamed a column and is not copied until somebody decides.
-- KPI drift-events, level CRITICAL, owner platform, looked at by Quartz schedule 0 30 5 * * ? UTC.
-- It rings when breaches > 0; an empty value means that the KPI is not assessed.
SELECT CASE WHEN e.found >= 1 AND (r.row_count = 0 OR r.known > 0) THEN r.breaches END AS breaches, r.row_count, e.found AS observations
FROM (SELECT count(*) AS row_count, count_if(status = 'CRITICAL') AS breaches, count_if(status <> 'NOT_ASSESSED') AS known FROM (
SELECT *, CASE WHEN breaking IS NULL THEN 'NOT_ASSESSED' WHEN breaking >= 1 THEN 'CRITICAL' WHEN breaking >= 1 THEN 'WARN' ELSE 'OK' END AS status FROM (
SELECT source, kind, count(*) AS events, count_if(kind NOT IN ('ADDED', 'WIDENED')) AS breaking,
       array_join(sort_array(collect_set(leaf)), ', ') AS leaves
FROM `system_health`.`ops`.`drift` WHERE at >= cast(date_sub(current_date(), 30) as timestamp) AND at <= current_timestamp()
GROUP BY source, kind ORDER BY breaking DESC, source, kind
)
)) r
CROSS JOIN (SELECT count(*) AS found FROM `system_health`.`ops`.`runs` WHERE run_id <> 'seed' AND started_at <= current_timestamp()) e
