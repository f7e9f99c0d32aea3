# Databricks notebook source
# Manual corrections: a second writer of the balance.
dbutils.widgets.text("points", "10")
spark.sql(f"""
    UPDATE hive_metastore.velocity_analytics_foundation.points_balance
    SET balance = balance + {int(dbutils.widgets.get("points"))}
    WHERE member_id < 100
""")
dbutils.notebook.exit("adjusted")
