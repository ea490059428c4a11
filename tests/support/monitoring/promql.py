"""What PromQL expressions select and compare, from their syntax trees."""

import re
from collections.abc import Iterator, Mapping

import promql_parser as promql

LABEL = re.compile(r"\{\{(\w+)\}\}")
COMPARISON = r">|<|>=|<=|==|!="
SET_OPERATION = r"and|or|unless"


def substituted(expression: str, values: Mapping[str, str]) -> str:
    """The expression with Grafana's variables replaced. Raises KeyError for one that has no value."""
    return re.sub(r"\$\{?(\w+)\}?", lambda match: values[match[1]], expression)


def named(legend: str, labels: Mapping[str, str]) -> str:
    """A legend with its labels filled in. Raises KeyError for a label that the series lacks."""
    return LABEL.sub(lambda match: labels[match[1]], legend)


def selectors(expression: str) -> list[promql.VectorSelector]:
    """Every selector of the expression, in order."""
    found: list[promql.VectorSelector] = []

    def visit(node: promql.Expr) -> None:
        if isinstance(node, promql.VectorSelector):
            found.append(node)

    promql.walk(promql.parse(expression), visit)
    return found


def named_labels(expression: str) -> set[str]:
    """Every label that the expression matches, groups or joins by."""
    found = {matcher.name for selector in selectors(expression) for matcher in selector.matchers.matchers}

    def visit(node: promql.Expr) -> None:
        if isinstance(node, promql.AggregateExpr) and node.modifier:
            found.update(node.modifier.labels)
        elif isinstance(node, promql.BinaryExpr) and node.modifier:
            found.update(node.modifier.matching.labels if node.modifier.matching else ())
            found.update(node.modifier.group_labels or ())

    promql.walk(promql.parse(expression), visit)
    return found


def operands(condition: str) -> list[str]:
    """The operands of the comparisons in an alert's condition: they must have data for it to mean anything.

    `a > 1 and b < c` gives a, b, c; a bare number is left out. Raises ValueError where a part compares nothing.
    """
    return [str(part) for part in _operands(promql.parse(condition)) if not isinstance(part, promql.NumberLiteral)]


def bounds(condition: str) -> list[float]:
    """The numbers in the comparisons of an alert's condition."""
    return [part.val for part in _operands(promql.parse(condition)) if isinstance(part, promql.NumberLiteral)]


def _operands(node: promql.Expr) -> Iterator[promql.Expr]:
    while isinstance(node, promql.ParenExpr):
        node = node.expr
    operator = _operator(node) if isinstance(node, promql.BinaryExpr) else ""
    if re.fullmatch(SET_OPERATION, operator):
        yield from _operands(node.lhs)
        yield from _operands(node.rhs)
    elif re.fullmatch(COMPARISON, operator):
        yield node.lhs
        yield node.rhs
    else:
        raise ValueError(f"compares nothing: {node}")


def _operator(node: promql.BinaryExpr) -> str:
    return str(node.op)
