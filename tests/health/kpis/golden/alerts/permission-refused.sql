-- Refused changes of permissions: Somebody tried at least three times to change permissions and was refused.
-- KPI permission-changes, level WARN, owner security, looked at by Quartz schedule 0 30 5 * * ? UTC.
-- It rings when breaches > 0; an empty value means that the KPI is not assessed.
SELECT CASE WHEN e.found >= 1 AND (r.row_count = 0 OR r.known > 0) THEN r.breaches END AS breaches, r.row_count, e.found AS observations
FROM (SELECT count(*) AS row_count, count_if(status IN ('WARN', 'CRITICAL')) AS breaches, count_if(status <> 'NOT_ASSESSED') AS known FROM (
SELECT *, CASE WHEN refused IS NULL THEN 'NOT_ASSESSED' WHEN refused >= 10 THEN 'CRITICAL' WHEN refused >= 3 THEN 'WARN' ELSE 'OK' END AS status FROM (
SELECT service_name, action_name, coalesce(user_identity_email, 'unknown') AS principal,
       count_if(NOT coalesce(is_failed_action, false)) AS changes, count_if(is_failed_action) AS refused,
       max(event_time) AS last_time
FROM `system_health`.`security`.`fact_audit_logs`
WHERE event_date >= date_sub(current_date(), 7) AND event_date < current_date() AND concat(service_name, '.', action_name) IN (
  'accounts.addPrincipalToGroup', 'accounts.addPrincipalsToGroup', 'accounts.changeAccountOwner',
  'accounts.changeDatabricksSqlAcl', 'accounts.changeDatabricksWorkspaceAcl', 'accounts.changeDbTokenAcl',
  'accounts.changeServicePrincipalAcls', 'accounts.removeAccountAdmin', 'accounts.removeAdmin',
  'accounts.removePrincipalFromGroup', 'accounts.setAccountAdmin', 'accounts.setAdmin', 'accounts.updateGroup',
  'clusterPolicies.changeClusterPolicyAcl', 'clusters.changeClusterAcl', 'databrickssql.changePermissions',
  'databrickssql.changeWarehouseAcls', 'databrickssql.transferObjectOwnership', 'deltaPipelines.changePipelineAcls',
  'iamRole.changeIamRoleAcl', 'instancePools.changeInstancePoolAcl', 'jobs.changeJobAcl',
  'mlflowAcledArtifact.changeMlflowAcl', 'notebook.changeNotebookAcl', 'secrets.deleteAcl', 'secrets.putAcl',
  'sqlPermissions.grantPermission', 'sqlPermissions.removeAllPermissions', 'sqlPermissions.revokePermission',
  'unityCatalog.updatePermissions', 'unityCatalog.updateSharePermissions', 'workspace.changeWorkspaceAcl')
GROUP BY service_name, action_name, coalesce(user_identity_email, 'unknown')
ORDER BY changes DESC, refused DESC, service_name, action_name, principal
)
)) r
CROSS JOIN (SELECT count(*) AS found FROM `system_health`.`security`.`fact_audit_logs` WHERE event_date >= date_sub(current_date(), 7) AND event_date < current_date()) e
