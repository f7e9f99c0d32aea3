-- Engagement score of the members.
-- Run by hand from the SQL editor, twice a year.
--
-- The weights were agreed in the steering group; the function holds them.

CREATE OR REPLACE TEMPORARY VIEW engagement AS
SELECT
  m.member_id,
  m.tier,
  COALESCE(SUM(CAST(t.points AS BIGINT)), 0) AS points,
  COUNT(t.txn_id) AS transactions
FROM velocity_analytics_foundation.member_profile m
LEFT JOIN velocity_analytics_foundation.points_transaction t
  ON t.member_id = m.member_id
WHERE m.is_active
GROUP BY m.member_id, m.tier;

-- members without a transaction keep the score of zero
INSERT OVERWRITE velocity_analytics_foundation.member_score
SELECT
  member_id,
  velocity_analytics_foundation.engagement_score(points) AS score
FROM engagement
WHERE transactions > 0
UNION ALL
SELECT member_id, CAST(0 AS DOUBLE) AS score
FROM engagement
WHERE transactions = 0;

SELECT COUNT(*) AS members, AVG(score) AS mean_score
FROM velocity_analytics_foundation.member_score;
