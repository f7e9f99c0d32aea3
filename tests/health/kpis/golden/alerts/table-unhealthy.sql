-- Table unhealthy for a day: A monitored table has been unhealthy for a day or longer.
-- KPI freshness-incidents, level CRITICAL, owner data-stewards, looked at by Quartz schedule 0 30 5 * * ? UTC.
-- It rings when breaches > 0; an empty value means that the KPI is not assessed.
SELECT CASE WHEN e.found >= 1 AND (r.row_count = 0 OR r.known > 0) THEN r.breaches END AS breaches, r.row_count, e.found AS observations
FROM (SELECT count(*) AS row_count, count_if(status = 'CRITICAL') AS breaches, count_if(status <> 'NOT_ASSESSED') AS known FROM (
SELECT *, CASE WHEN open_hours IS NULL THEN 'NOT_ASSESSED' WHEN open_hours >= 24 THEN 'CRITICAL' WHEN open_hours >= 0.0001 THEN 'WARN' ELSE 'OK' END AS status FROM (
SELECT concat_ws('.', max(catalog_name), max(schema_name), max(table_name)) AS table_full_name, table_id,
       count_if(is_incident) AS incidents, count_if(is_incident AND freshness_incident_count > 0) AS freshness_incidents,
       round(avg(CASE WHEN is_incident AND valid_to IS NOT NULL
         THEN cast(unix_seconds(valid_to) - unix_seconds(valid_from) as double) END) / 3600, 4) AS hours_to_heal,
       count_if(is_incident AND is_current) AS open_incidents,
       round(coalesce(max(CASE WHEN is_incident AND is_current
         THEN cast(unix_seconds(current_timestamp()) - unix_seconds(valid_from) as double) END), 0) / 3600, 4) AS open_hours
FROM `system_health`.`dqm`.`fact_dq_monitoring`
WHERE valid_from < cast(current_date() as timestamp) AND (valid_to IS NULL OR valid_to > cast(date_sub(current_date(), 30) as timestamp))
GROUP BY table_id ORDER BY open_hours DESC, incidents DESC, table_id
)
)) r
CROSS JOIN (SELECT count(*) AS found FROM `system_health`.`dqm`.`fact_dq_monitoring` WHERE valid_from < cast(current_date() as timestamp) AND (valid_to IS NULL OR valid_to > cast(date_sub(current_date(), 30) as timestamp))) e
