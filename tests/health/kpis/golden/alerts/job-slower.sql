-- Job became slower: A job's median duration grew by half or more.
-- KPI duration-regression, level CRITICAL, owner data-engineering, looked at by Quartz schedule 0 30 5 * * ? UTC.
-- It rings when breaches > 0; an empty value means that the KPI is not assessed.
SELECT CASE WHEN e.found >= 1 AND (r.row_count = 0 OR r.known > 0) THEN r.breaches END AS breaches, r.row_count, e.found AS observations
FROM (SELECT count(*) AS row_count, count_if(status = 'CRITICAL') AS breaches, count_if(status <> 'NOT_ASSESSED') AS known FROM (
SELECT *, CASE WHEN regression_percent IS NULL THEN 'NOT_ASSESSED' WHEN regression_percent >= 50 THEN 'CRITICAL' WHEN regression_percent >= 20 THEN 'WARN' ELSE 'OK' END AS status FROM (
WITH latest AS (
  SELECT workspace_id, job_id, run_duration_seconds AS seconds,
         row_number() OVER (PARTITION BY workspace_id, job_id ORDER BY run_end_time DESC, run_id DESC) AS nth
  FROM `system_health`.`lakeflow`.`fact_job_run`
  WHERE is_success AND run_type = 'JOB_RUN' AND run_duration_seconds IS NOT NULL
    AND run_date >= date_sub(current_date(), 90) AND run_date < current_date()),
sample AS (
  SELECT workspace_id, job_id, seconds, nth <= 7 AS recent,
         rank() OVER (PARTITION BY workspace_id, job_id ORDER BY seconds) AS lowest,
         count(*) OVER (PARTITION BY workspace_id, job_id, seconds) AS ties
  FROM latest WHERE nth <= 35),
sums AS (
  SELECT workspace_id, job_id, count(*) AS runs,
         median(CASE WHEN recent THEN seconds END) AS recent_seconds,
         median(CASE WHEN NOT recent THEN seconds END) AS earlier_seconds,
         sum(CASE WHEN recent THEN lowest + (ties - 1) / 2.0 END) AS ranks,
         sum(cast(ties * ties - 1 as double)) AS tied
  FROM sample GROUP BY 1, 2 HAVING count(*) = 35),
tested AS (
  SELECT *, (cast(ranks as double) - 126)
           / nullif(sqrt(7 * 28 / 12.0 * (36 - tied / (35 * 34.0))), 0) AS z,
         round(100 * (recent_seconds / nullif(earlier_seconds, 0) - 1), 4) AS change_percent
  FROM sums)
SELECT workspace_id, job_id,
       CASE WHEN change_percent IS NOT NULL THEN CASE WHEN z >= 2.5758 AND change_percent >= 20 THEN change_percent
         ELSE 0 END END AS regression_percent,
       change_percent, round(z, 4) AS z, recent_seconds, earlier_seconds
FROM tested ORDER BY regression_percent DESC NULLS LAST, workspace_id, job_id
)
)) r
CROSS JOIN (SELECT count(*) AS found FROM (SELECT workspace_id, job_id FROM `system_health`.`lakeflow`.`fact_job_run` WHERE is_success AND run_type = 'JOB_RUN' AND run_duration_seconds IS NOT NULL AND run_date >= date_sub(current_date(), 90) AND run_date < current_date() GROUP BY 1, 2 HAVING count(*) >= 35)) e
