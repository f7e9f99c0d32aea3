-- Job fails too often: Less than 80 percent of a job's runs succeeded.
-- KPI success-rate, level CRITICAL, owner data-engineering, looked at by Quartz schedule 0 30 5 * * ? UTC.
-- It rings when breaches > 0; an empty value means that the KPI is not assessed.
SELECT CASE WHEN e.found >= 1 AND (r.row_count = 0 OR r.known > 0) THEN r.breaches END AS breaches, r.row_count, e.found AS observations
FROM (SELECT count(*) AS row_count, count_if(status = 'CRITICAL') AS breaches, count_if(status <> 'NOT_ASSESSED') AS known FROM (
SELECT *, CASE WHEN success_percent IS NULL THEN 'NOT_ASSESSED' WHEN success_percent < 80 THEN 'CRITICAL' WHEN success_percent < 95 THEN 'WARN' ELSE 'OK' END AS status FROM (
SELECT workspace_id, job_id, round(100 * cast(count_if(is_success) as double) / count(*), 4) AS success_percent,
       count_if(is_success) AS succeeded, count(*) AS final_runs
FROM `system_health`.`lakeflow`.`fact_job_run`
WHERE is_final AND run_type = 'JOB_RUN' AND run_date >= date_sub(current_date(), 30) AND run_date < current_date()
GROUP BY workspace_id, job_id
ORDER BY success_percent, workspace_id, job_id
)
)) r
CROSS JOIN (SELECT count(*) AS found FROM `system_health`.`lakeflow`.`fact_job_run` WHERE is_final AND run_type = 'JOB_RUN' AND run_date >= date_sub(current_date(), 30) AND run_date < current_date()) e
