COMMENT ON EXTENSION layra_state IS
'The state of workflow runs: versioned variables, a hash-chained event log, checkpoints, rollback and forks. \df+ layra.* shows every function with an example.';

COMMENT ON SCHEMA layra IS
'State of workflow runs (extension layra_state). What writes to a run holds up its other writers until the transaction ends. \df+ layra.* lists the functions; the views runs, timeline, variables, nodes, loops and contexts are for people.';
