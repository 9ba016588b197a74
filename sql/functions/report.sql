COMMENT ON FUNCTION layra.report(text) IS
$$Makes the report of a run: one HTML file for people who do not use SQL.
It has the result of verify, the graph with the states of its nodes, questions and answers, every change of every value, the state at any version, the timeline with what was undone, checkpoints and forks. Of more than 10,000 events it has the first 1,000, the newest 9,000 and counts of the rest; of many changes of a value the newest, of a large value the beginning. It says what it leaves out.
run_id text: the run.
Result text: the file, in ASCII. It needs nothing else, and loads nothing.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.report('order-17');$$;

COMMENT ON FUNCTION layra.explain_run(text) IS
$$Draws the graph of a run as lines of text, with the state of each node.
The bodies of loops are indented; each line ends with where the node leads. [x] completed, [>] running, [!] failed, [-] skipped, [ ] pending.
run_id text: the run.
Result setof text: a line for the run, one that counts the nodes, and one for each node.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.explain_run('order-17');$$;

COMMENT ON FUNCTION layra.mermaid(text) IS
$$Draws the graph of a run as a flowchart for Mermaid.
Markdown pages of many tools show it, with the state of each node. Loops are subgraphs.
run_id text: the run.
Result text: the flowchart, in ASCII.
Errors: 22023 bad argument, P0002 no such run, 42501 not a run that the caller may read.
Example: SELECT layra.mermaid('order-17');$$;
