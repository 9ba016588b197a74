-- From 0.2.0 to 0.3.0: faster writes.

-- PostgreSQL parses and compiles a table's CHECK expressions anew for every statement: 476,000 of the 910,000 instructions of a
-- write. The rows come from the functions alone; layra.verify checks what is in them.
ALTER TABLE layra.event
    DROP CONSTRAINT event_version_check,
    DROP CONSTRAINT event_payload_hash_check,
    DROP CONSTRAINT event_cells_hash_check,
    DROP CONSTRAINT event_hash_check,
    DROP CONSTRAINT event_bytes_since_checkpoint_check,
    DROP CONSTRAINT event_label_needs_kind;
ALTER TABLE layra.cell
    DROP CONSTRAINT cell_scope_check,
    DROP CONSTRAINT cell_ordinal,
    DROP CONSTRAINT cell_version_check,
    DROP CONSTRAINT cell_revision_check,
    DROP CONSTRAINT cell_hash_check,
    DROP CONSTRAINT cell_hash_of_value,
    DROP CONSTRAINT cell_node,
    DROP CONSTRAINT cell_loop;

SELECT layra.renew_grants();
