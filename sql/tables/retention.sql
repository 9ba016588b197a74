-- What owners say of the runs that they want kept.

CREATE TABLE layra.retention (
    owner    text COLLATE "C" NOT NULL,
    workflow text COLLATE "C" NOT NULL,
    policy   jsonb NOT NULL,
    PRIMARY KEY (owner, workflow)
);
SELECT pg_catalog.pg_extension_config_dump('layra.retention', '');

ALTER TABLE layra.retention ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON layra.retention FOR SELECT USING (layra.reads_runs_of(owner));

COMMENT ON TABLE layra.retention IS
'Retention policies, as set_retention was given them.';
COMMENT ON COLUMN layra.retention.owner IS 'Role for whose runs the policy holds, as text.';
COMMENT ON COLUMN layra.retention.workflow IS 'Name of the workflow whose runs it holds for; empty: all that have no policy of their own.';
COMMENT ON COLUMN layra.retention.policy IS 'The policy: {"drop": false} keeps the runs from being dropped.';
COMMENT ON INDEX layra.retention_pkey IS 'The policy of an owner, for a workflow or for all others.';
COMMENT ON POLICY readable ON layra.retention IS 'A role sees the policies of owners whose privileges it has; auditors see all.';
