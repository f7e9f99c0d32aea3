# Databricks notebook source
# The capture of campaign responses was never migrated: it writes to Hive only, so the Unity Catalog table goes stale.
spark.sql("""
    INSERT INTO hive_metastore.velocity_analytics_foundation.campaign_response
    SELECT 20000 + id, pmod(xxhash64(id, 83), 40000), concat('C', CAST(pmod(id, 12) AS STRING)), true
    FROM range(3000)
""")
