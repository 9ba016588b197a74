"""Every error of the extension's own says what to do about it: in its HINT, or by saying what an argument must be."""

# What the extension's own errors have where PostgreSQL's have the name of a C function.
OWN = "layra_state"


def check(error):
    diag = error.diag
    if diag.source_function == OWN:
        assert diag.message_hint or " must " in diag.message_primary, f"an error without a remedy: {error}"
