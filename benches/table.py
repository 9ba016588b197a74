"""The table of what is measured: each line is a function that returns its rows."""

from dataclasses import dataclass, field

LINES = {}


@dataclass
class Row:
    """One figure with its goal. `raw` are the figures behind it; those in `guarded` must not grow (bench-check)."""

    what: str
    value: float
    unit: str
    goal: str = ""
    raw: dict = field(default_factory=dict)
    guarded: dict = field(default_factory=dict)

    @property
    def met(self):
        """Whether the goal is met; None where there is none."""
        if not self.goal:
            return None
        sign, bound = self.goal.split()
        bound = float(bound.replace(",", ""))
        return self.value <= bound if sign == "≤" else self.value >= bound


@dataclass
class Line:
    name: str
    function: object
    how: str
    exact: bool


def line(exact=False):
    """Makes a function a line of the table, under the function's name; its docstring says how it is measured. Exact ones
    give the same figures every time, so that bench-check can hold them."""

    def register(function):
        LINES[function.__name__] = Line(function.__name__, function, " ".join(function.__doc__.split()), exact)
        return function

    return register


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
