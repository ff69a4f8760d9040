"""Names that users' tables have, or that somebody gives them to do harm: each has to come out as it went in."""

from __future__ import annotations

WORDS = [
    *("a b", "bill length (mm)", "가 나", "등급", "a-b", "a.b", "a/b", "a\\b", "a%", "%20", "%s", "1st", "2", "3.5", "-1"),
    *("a__b", "__class__", "self", "None_", "a,b", "a;b", "a:b", "a=b", "a&b", "a?b", "a#b", "a@b", "a|b", "a*b", "a~b"),
    *("x'y", 'x"y', "`x`", "''", '""', '"', ",", "()", "[]", "{}", "<>", "[/b]", "[red]x[/red]", "[bold]", ":smile:"),
    *("$x$", "$\\frac{1}{0}$", "\\textbf{x}", "x^2", "x_1", "{{7*7}}", "{x}", "{0}", "${oc.env:HOME}", "$(id)", "$HOME"),
    *("-rf", "--help", "=1+1", "+1", "@x", "=cmd|' /C calc'!A0", '=HYPERLINK("http://127.0.0.1")', "'; DROP TABLE x; --"),
    *("<b>", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</td></table>", "<!--", "]]>", "&amp;", "&lt;"),
    *("| md | **x** |", "# h", "* i", "![i](http://127.0.0.1/x)", "[l](javascript:alert(1))", "---", "../../etc/passwd"),
    *("two\nlines", "two\r\nlines", "a\rb", "a\tb", "a\vb", "a\x07b", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "x\x7fy"),
    *(
        "a\x85b",
        "a\u2028b",
        "a\u00a0b",
        "a\u200bb",
        "a\ufeffb",
        "\u202ertl",
        "\u200f\u05e9\u05dc\u05d5\u05dd",
        "\u2066isolate\u2069",
    ),
    *(
        " a",
        "a ",
        "  ",
        "\u3000",
        "é",
        "e\u0301",
        "\ufb01",
        "\uff46\uff55\uff4c\uff4c",
        "İ",
        "ß",
        "①",
        "²",
        "x²",
        "Ⅳ",
        "١٢",
        "--5",
        "1_000",
        "0x1",
    ),
    *("..", ".", "a.", "CON", "aux.csv", "/etc/passwd", "~", "*", "?", "%(x)s", "{0.__class__}", "???", "+", "-", "'", "@"),
    *("\t=1", "\uff1d1", "'=1", "www.example.org", "a@example.org", "a;=1", "\x9b31m", "a\u200db", "a\ufe0fb", "\u3164", "\xad"),
    *("\U000e0041", "\u2060", "<!--#exec-->", "</title>", "1.\ta"),
    *("1e5", "inf-", "nan-", "1.0", "1.00", "01", "🍣", "👩‍💻", "🇰🇷", "a🍣b", "한" * 200, "a" * 600, "<" * 40, "é" * 300),
]
"""Names and values alike."""

VALUE_NAMES = [
    *("label", "label_input", "label_input_input", "probabilities", "scores", "prediction", "probabilities_inner"),
    *("X", "input", "float_input", "variable", "variable1", "categories", "numbers", "merged_columns", "concat_result"),
    *("transformed_column", "column0", "column1", "column2", "column0_inner", "v", "v1", "c", "c1", "t0", "t1", "same"),
    *("kernel_vectors", "kernel_coefficients", "neighbor_rows", "weights", "label_given", "Identity", "class", "target1"),
]
"""Names of columns that values of an ONNX graph have, or had, or start with."""

COLUMNS = [*WORDS, *VALUE_NAMES]
