CREATE OR REPLACE VIEW hive_metastore.velocity_analytics_foundation.active_member AS
SELECT member_id, given_name, tier, state, email FROM hive_metastore.velocity_analytics_foundation.member_profile WHERE is_active;

CREATE OR REPLACE VIEW hive_metastore.velocity_analytics_foundation.active_member_points AS
SELECT m.member_id, m.state, m.tier, SUM(CAST(t.points AS BIGINT)) AS points, COUNT(*) AS transactions
FROM hive_metastore.velocity_analytics_foundation.active_member m
JOIN hive_metastore.velocity_analytics_foundation.points_transaction t ON t.member_id = m.member_id
GROUP BY m.member_id, m.state, m.tier;

CREATE OR REPLACE VIEW wb_velocityanalytics_prd.loyalty.active_member AS
SELECT member_id, given_name, tier, state, email FROM wb_velocityanalytics_prd.loyalty.member_profile WHERE is_active;

CREATE OR REPLACE VIEW wb_velocityanalytics_prd.loyalty.active_member_points AS
SELECT m.member_id, m.state, m.tier, SUM(CAST(t.points AS BIGINT)) AS points, COUNT(*) AS transactions
FROM wb_velocityanalytics_prd.loyalty.active_member m
JOIN wb_velocityanalytics_prd.loyalty.points_transaction t ON t.member_id = m.member_id
GROUP BY m.member_id, m.state, m.tier;

CREATE OR REPLACE FUNCTION hive_metastore.velocity_analytics_foundation.tier_rank(tier STRING) RETURNS INT
RETURN CASE tier WHEN 'Platinum' THEN 4 WHEN 'Gold' THEN 3 WHEN 'Silver' THEN 2 ELSE 1 END;

CREATE OR REPLACE FUNCTION hive_metastore.velocity_analytics_foundation.clean_email(email STRING) RETURNS STRING
RETURN lower(trim(email));

CREATE OR REPLACE FUNCTION hive_metastore.velocity_analytics_foundation.engagement_score(points BIGINT) RETURNS DOUBLE
RETURN CAST(points AS DOUBLE) / 1000;

CREATE OR REPLACE FUNCTION wb_velocityanalytics_prd.loyalty.tier_rank(tier STRING) RETURNS INT
RETURN CASE tier WHEN 'Platinum' THEN 4 WHEN 'Gold' THEN 3 WHEN 'Silver' THEN 2 ELSE 1 END;

CREATE OR REPLACE FUNCTION wb_velocityanalytics_prd.loyalty.clean_email(email STRING) RETURNS STRING
RETURN lower(trim(email));
