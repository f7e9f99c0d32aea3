"""What share remembers, read and written in the caller's transaction; the only part of the room that speaks to the database.

`packs` what is wanted, version by version · `runs` the work on it · `steps` the journal of a run · `claims` what packs made ·
`leases` who works on what · `approvals` · `entities` recipients, shares and pipelines as rows · `tenants`, `directory`,
`measures` what is imported and synchronised · `notices` and `outbox` what is to be sent · `links` sealed activation links ·
`idempotency` answers kept for repeated requests · `audit` one line for each change · `documents` JSON of steps and plans.
"""
