"""What code says, whatever its layout, comments and docstrings: the same text for the same program on every Python."""

from __future__ import annotations

import ast

# Fields that newer versions of Python add, or that hold no meaning for a program.
_LEFT_OUT = {"type_params", "type_comment", "kind", "ctx"}
_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def syntax(source: str | ast.AST) -> str:
    """The program as nested text. source: code or its tree. Raises SyntaxError for what is not Python."""
    return _text(ast.parse(source) if isinstance(source, str) else source)


def _text(node: object) -> str:
    if isinstance(node, list):
        return "[" + " ".join(map(_text, node)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if name not in _LEFT_OUT and value not in (None, [])}
    if isinstance(node, ast.JoinedStr):  # some versions end the format of a replaced field with an empty text
        fields["values"] = [v for v in node.values if getattr(v, "value", None) != ""]
    if isinstance(node, _WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    return f"({type(node).__name__} " + " ".join(f"{name}={_text(value)}" for name, value in fields.items()) + ")"
