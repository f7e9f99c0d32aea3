# Databricks notebook source
# MAGIC %md
# MAGIC # ALMS statement
# MAGIC Kontoauszüge: what each open account booked — naïve, but it has worked since 2019 ✈

# COMMAND ----------

# MAGIC %run ./includes/common

# COMMAND ----------

spark.conf.set("spark.sql.session.timeZone", "Australia/Sydney")

# COMMAND ----------

# MAGIC %sql
# MAGIC SET TIME ZONE 'Australia/Sydney'

# COMMAND ----------

booked_since("2024-07-01").createOrReplaceTempView("booked")
spark.table(accounts).where("status = 'OPEN'").createOrReplaceTempView("open_accounts")

# COMMAND ----------

# MAGIC %sql
# MAGIC INSERT INTO va_alms_prd.alms_statement
# MAGIC SELECT
# MAGIC   a.account_id,
# MAGIC   COALESCE(b.booked, 0) AS booked,
# MAGIC   'Überweisung “Juli”' AS note
# MAGIC FROM open_accounts a
# MAGIC LEFT JOIN booked b ON b.account_id = a.account_id
# MAGIC WHERE a.account_id < 20000

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT note, COUNT(*) AS statements, SUM(booked) AS booked
# MAGIC FROM va_alms_prd.alms_statement
# MAGIC GROUP BY note
# MAGIC ORDER BY 1

# COMMAND ----------

print("statements:", spark.table("va_alms_prd.alms_statement").count())
