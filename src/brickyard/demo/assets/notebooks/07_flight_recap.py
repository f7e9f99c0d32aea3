# Databricks notebook source
# MAGIC %md
# MAGIC # Flight recap
# MAGIC Flights and kilometres of each route.

# COMMAND ----------

# MAGIC %sql
# MAGIC CREATE OR REPLACE TEMP VIEW routes AS
# MAGIC SELECT f.origin, f.destination, f.distance_km, m.tier
# MAGIC FROM velocity_analytics_foundation.flight_activity f
# MAGIC JOIN velocity_analytics_foundation.active_member m
# MAGIC   ON m.member_id = f.member_id
# MAGIC WHERE f.origin <> f.destination;

# COMMAND ----------

# MAGIC %sql
# MAGIC -- Gold and Platinum only: velocity_analytics_foundation.tier_rank tells the order of the tiers
# MAGIC CREATE OR REPLACE TEMP VIEW top_routes AS
# MAGIC SELECT origin, destination, distance_km
# MAGIC FROM routes
# MAGIC WHERE velocity_analytics_foundation.tier_rank(tier) >= 3;

# COMMAND ----------

# MAGIC %sql
# MAGIC INSERT OVERWRITE velocity_analytics_foundation.rpt_flight_recap
# MAGIC SELECT origin, destination, COUNT(*) AS flights, SUM(distance_km) AS distance_km
# MAGIC FROM top_routes
# MAGIC GROUP BY origin, destination;

# COMMAND ----------

recap = spark.sql("SELECT COUNT(*) AS routes, SUM(flights) AS flights FROM velocity_analytics_foundation.rpt_flight_recap")
row = recap.collect()[0]
print(f"{row['routes']} routes, {row['flights']} flights")