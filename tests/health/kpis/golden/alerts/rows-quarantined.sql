-- Many rows in quarantine: At least a thousand rows of one table break one rule and are in no gold table.
-- KPI quarantined-rows, level CRITICAL, owner platform, looked at by Quartz schedule 0 30 5 * * ? UTC.
-- It rings when breaches > 0; an empty value means that the KPI is not assessed.
SELECT CASE WHEN e.found >= 1 AND (r.row_count = 0 OR r.known > 0) THEN r.breaches END AS breaches, r.row_count, e.found AS observations
FROM (SELECT count(*) AS row_count, count_if(status = 'CRITICAL') AS breaches, count_if(status <> 'NOT_ASSESSED') AS known FROM (
SELECT *, CASE WHEN quarantined IS NULL THEN 'NOT_ASSESSED' WHEN quarantined >= 1000 THEN 'CRITICAL' WHEN quarantined >= 1 THEN 'WARN' ELSE 'OK' END AS status FROM (
SELECT table_name, reason, count(*) AS quarantined, count_if(at >= cast(date_sub(current_date(), 30) as timestamp)) AS since_window, max(at) AS last_time
FROM `system_health`.`ops`.`quarantine` WHERE at <= current_timestamp()
GROUP BY table_name, reason ORDER BY quarantined DESC, table_name, reason
)
)) r
CROSS JOIN (SELECT count(*) AS found FROM `system_health`.`ops`.`runs` WHERE run_id <> 'seed') e
