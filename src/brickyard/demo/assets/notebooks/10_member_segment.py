# Databricks notebook source
# MAGIC %md
# MAGIC # Member segments
# MAGIC Adds the high flyers to `member_segment` and leaves an extract for the mail house.

# COMMAND ----------

import os

EXPORT = "/dbfs/mnt/exports/member_segment"
THRESHOLD = 20000

# COMMAND ----------

high_flyers = spark.sql(f"""
    SELECT p.member_id, velocity_analytics_foundation.clean_email(m.email) AS email, p.points
    FROM velocity_analytics_foundation.active_member_points p
    JOIN velocity_analytics_foundation.member_profile m ON m.member_id = p.member_id
    WHERE p.points >= {THRESHOLD}
""")
high_flyers.createOrReplaceTempView("high_flyers")

# COMMAND ----------

spark.sql("""
    INSERT INTO velocity_analytics_foundation.member_segment
    SELECT member_id, 'high flyer' AS segment, DATE'2025-01-01' AS valid_from
    FROM high_flyers
    WHERE member_id NOT IN (SELECT member_id FROM velocity_analytics_foundation.member_segment)
""")

# COMMAND ----------

# MAGIC %sql
# MAGIC DELETE FROM velocity_analytics_foundation.member_segment WHERE valid_from < DATE'2020-01-01'

# COMMAND ----------

os.makedirs(EXPORT, exist_ok=True)
with open("/dbfs/mnt/exports/member_segment/high_flyers.csv", "w", encoding="utf-8") as out:
    out.write("member_id,email\n")
    for row in high_flyers.orderBy("member_id").limit(100).collect():
        out.write(f"{row['member_id']},{row['email'] or ''}\n")

# COMMAND ----------

print("segments:", spark.table("velocity_analytics_foundation.member_segment").count())
