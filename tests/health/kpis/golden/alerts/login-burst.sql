-- Burst of failed logins: A principal was refused 20 times or more within ten minutes.
-- KPI failed-logins, level CRITICAL, owner security, looked at by Quartz schedule 0 30 5 * * ? UTC.
-- It rings when breaches > 0; an empty value means that the KPI is not assessed.
SELECT CASE WHEN e.found >= 1 AND (r.row_count = 0 OR r.known > 0) THEN r.breaches END AS breaches, r.row_count, e.found AS observations
FROM (SELECT count(*) AS row_count, count_if(status = 'CRITICAL') AS breaches, count_if(status <> 'NOT_ASSESSED') AS known FROM (
SELECT *, CASE WHEN most_in_ten_minutes IS NULL THEN 'NOT_ASSESSED' WHEN most_in_ten_minutes >= 20 THEN 'CRITICAL' WHEN most_in_ten_minutes >= 5 THEN 'WARN' ELSE 'OK' END AS status FROM (
WITH logins AS (
  SELECT event_id, event_time, event_date, coalesce(user_identity_email, 'unknown') AS principal, source_ip_address,
         is_failed_action
  FROM `system_health`.`security`.`fact_audit_logs`
  WHERE service_name = 'accounts' AND action_name IN ('login', 'aadBrowserLogin', 'aadTokenLogin', 'certLogin',
    'jwtLogin', 'mfaLogin', 'oidcBrowserLogin', 'oidcTokenAuthorization', 'samlLogin', 'tokenLogin',
    'passwordVerifyAuthentication') AND event_date >= date_sub(date_sub(current_date(), 7), 30) AND event_date < current_date()),
familiar AS (
  SELECT DISTINCT principal, source_ip_address FROM logins WHERE NOT is_failed_action AND event_date < date_sub(current_date(), 7)),
refused AS (
  SELECT l.event_id, l.principal, l.event_time, l.source_ip_address,
         l.source_ip_address IS NOT NULL AND f.principal IS NULL AS strange,
         count(*) OVER (PARTITION BY l.principal ORDER BY unix_seconds(l.event_time)
                        RANGE BETWEEN 600 PRECEDING AND CURRENT ROW) AS burst
  FROM logins l LEFT JOIN familiar f ON f.principal = l.principal AND f.source_ip_address = l.source_ip_address
  WHERE l.is_failed_action AND l.event_date >= date_sub(current_date(), 7))
SELECT principal, count(*) AS failed_logins, max(burst) AS most_in_ten_minutes,
       count(DISTINCT source_ip_address) AS addresses,
       count(DISTINCT CASE WHEN strange THEN source_ip_address END) AS new_addresses, max(event_time) AS last_time
FROM refused GROUP BY principal ORDER BY failed_logins DESC, principal
)
)) r
CROSS JOIN (SELECT count(*) AS found FROM `system_health`.`security`.`fact_audit_logs` WHERE service_name = 'accounts' AND action_name IN ('login', 'aadBrowserLogin', 'aadTokenLogin', 'certLogin', 'jwtLogin', 'mfaLogin', 'oidcBrowserLogin', 'oidcTokenAuthorization', 'samlLogin', 'tokenLogin', 'passwordVerifyAuthentication') AND is_failed_action IS NOT NULL AND event_date >= date_sub(current_date(), 7) AND event_date < current_date()) e
