-- From 0.3.0 to 0.4.0.

-- In the order in which calls lock them: waits for the transactions that have called, and lets no call in before it commits.
LOCK TABLE layra.run, layra.event, layra.cell, layra.access IN ACCESS EXCLUSIVE MODE;

-- Changes nothing, and tells the sessions that are connected to look at the version again.
ALTER TABLE layra.run ALTER COLUMN run_id SET NOT NULL;

SELECT layra.renew_grants();
