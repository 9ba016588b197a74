COMMENT ON EXTENSION layra_state IS
'The state of workflow runs: versioned variables, a hash-chained event log, checkpoints, rollback and forks. SELECT layra.help(); lists the functions, layra.help(''start_run'') explains one.';

COMMENT ON SCHEMA layra IS
'State of workflow runs (extension layra_state). What writes to a run holds up its other writers until the transaction ends. SELECT layra.help(); lists the functions, views and settings.';
