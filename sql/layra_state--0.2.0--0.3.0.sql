-- From 0.2.0 to 0.3.0: faster writes.

-- PostgreSQL parses and compiles a table's CHECK expressions anew for every statement: 476,000 of the 910,000 instructions of a
-- write. The rows come from the functions alone; layra.verify checks what is in them.
