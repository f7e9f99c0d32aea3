# Databricks notebook source
# Names and helpers that the ALMS notebooks share.
ALMS = "va_alms_prd"
accounts = f"{ALMS}.alms_account"


def booked_since(day):
    """The bookings since a day, summed by account."""
    return spark.sql(f"SELECT account_id, SUM(amount) AS booked FROM va_alms_prd.alms_booking WHERE booking_date >= DATE'{day}' GROUP BY account_id")
