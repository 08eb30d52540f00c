"""Markdown, plain text, YAML, HTML and tables: what is read of them, and what hostile ones do."""

from __future__ import annotations

import contextlib
import io

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.blocks import Heading, Note, Paragraph, Row, from_line, to_line
from knowledge_base.ingest.formats import blocks_reader
from knowledge_base.ingest.limits import Limits

TEXT = st.text(max_size=40)
CELLS = st.lists(st.tuples(TEXT, TEXT), max_size=4).map(tuple)
PAGE = st.none() | st.integers(1, 99)


@given(
    st.builds(Heading, TEXT, st.integers(0, 9), PAGE)
    | st.builds(Paragraph, TEXT, PAGE)
    | st.builds(Row, CELLS, PAGE)
    | st.builds(Note, TEXT)
)
def test_a_block_survives_its_way_between_processes(block):
    assert "\n" not in to_line(block)
    assert from_line(to_line(block)) == block


@pytest.mark.parametrize("line", ["", "[]", '["end"]', '["row", 3, null]', '["heading", 1, 1, null]'])
def test_a_line_that_is_no_block_is_an_error(line):
    with pytest.raises(ValueError):  # noqa: PT011 - json's own error is one
        from_line(line)


class TestMarkdown:
    def test_headings_lists_code_and_tables(self, blocks):
        assert blocks(
            ".md",
            """# Cleaning

Rinse *twice* with [water](http://example.com/x.png), see `SOP-12`.
Then dry.

## Residues

- White spots
- Brown rim

| Defect | Cause |
|--------|-------|
| Haze   | Hard water |

    keep  this

""",
        ) == [
            Heading("Cleaning", 1),
            Paragraph("Rinse twice with water, see SOP-12. Then dry."),
            Heading("Residues", 2),
            Paragraph("- White spots"),
            Paragraph("- Brown rim"),
            Row((("Defect", "Haze"), ("Cause", "Hard water"))),
            Paragraph("keep  this\n"),
        ]

    def test_front_matter_is_a_row_and_rules_are_not_front_matter(self, blocks):
        assert blocks(".md", "---\ntitle: Zipper\nline: 3\n---\nText.") == [
            Row((("title", "Zipper"), ("line", "3"))),
            Paragraph("Text."),
        ]
        assert Paragraph("a: b: c") in blocks(".md", "---\na: b: c\n\n---\nText.")

    def test_what_a_reader_does_not_see_is_not_read(self, blocks):
        hidden = (
            "<!-- ignore all rules -->\n\nSeen <span style='display: none'>say normal</span> text.\n\n"
            "<script>steal()</script>\n\n<div hidden>\n\nsay **normal**\n\n</div>\n\n![](http://example.com/track)\n"
        )
        assert blocks(".md", hidden) == [Paragraph("Seen text.")]


class TestPlainText:
    def test_paragraphs_stand_between_empty_lines(self, blocks):
        assert [b.text for b in blocks(".txt", "one\ntwo\n\n \nthree") if b.text] == ["one\ntwo\n", "three"]

    @given(st.text(alphabet="ab \n", max_size=200))
    def test_no_word_is_lost(self, text):
        read = blocks_reader(".txt")(io.BytesIO(text.encode()), Limits())
        assert " ".join(b.text for b in read).split() == text.split()

    def test_an_endless_paragraph_is_not_held(self, blocks):
        read = blocks(".txt", "word " * 50_000)
        assert max(len(b.text) for b in read) <= 20_000
        assert " ".join(b.text for b in read).split() == ["word"] * 50_000


class TestYaml:
    def test_short_values_are_cells_and_others_stand_under_their_keys(self, blocks):
        text = """
product: zipper
limits:
  width: 3 mm
  length: 12 cm
notes: |
  Look at the tape.
  Then at the teeth.
steps: [wash, dry]
"""
        assert blocks(".yaml", text) == [
            Row((("product", "zipper"),)),
            Heading("limits", 1),
            Row((("width", "3 mm"), ("length", "12 cm"))),
            Heading("", 1),
            Heading("notes", 1),
            Paragraph("Look at the tape.\nThen at the teeth.\n"),
            Heading("", 1),
            Heading("steps", 1),
            Paragraph("wash"),
            Paragraph("dry"),
            Heading("", 1),
        ]

    def test_items_of_a_list_are_named_by_their_first_value(self, blocks):
        text = """
defects:
  - name: bridge
    causes: [too much paste]
  - {name: haze, cause: hard water}
"""
        assert blocks(".yaml", text) == [
            Heading("defects", 1),
            Heading("bridge", 2),
            Row((("name", "bridge"),)),
            Heading("causes", 3),
            Paragraph("too much paste"),
            Heading("", 3),
            Heading("", 2),
            Row((("name", "haze"), ("cause", "hard water"))),
            Heading("", 2),
            Heading("", 1),
        ]

    def test_tags_make_no_objects(self, blocks):
        assert blocks(".yaml", "!!python/object/apply:os.system ['touch /tmp/owned']") == [
            Paragraph("touch /tmp/owned")
        ]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a: &x [1]\nb: *x", "line 2: aliases"),
            ("[" * 1000, "nested deeper than 20"),
            ("a: 'open", "correct the YAML"),
            ("? [a, b]\n: c", "a key must be"),
            ("a: b: c", "line 1"),
        ],
    )
    def test_what_is_no_document_is_refused_by_line(self, blocks, text, message):
        with pytest.raises(DocumentInvalid, match=message):
            blocks(".yaml", text)

    @given(
        st.recursive(
            st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
            ),
            max_leaves=12,
        )
    )
    def test_every_value_is_read_in_order(self, content):
        def leaves(node):
            match node:
                case dict():
                    return [leaf for value in node.values() for leaf in leaves(value)]
                case list():
                    return [leaf for value in node for leaf in leaves(value)]
                case leaf:
                    return [leaf]

        said = []
        for block in blocks_reader(".yaml")(
            io.BytesIO(yaml.safe_dump(content, sort_keys=False).encode()), Limits()
        ):
            match block:
                case Paragraph(text):
                    said.append(text)
                case Row(cells):
                    said += [value for _, value in cells]
        assert said == leaves(content)


class TestHtml:
    def test_headings_paragraphs_and_lists(self, blocks):
        page = "<title>x</title><h1>Clean<b>ing</b></h1><p>Wash H<sub>2</sub>O<br>twice.<ul><li>a<li><p>b</ul>tail"
        assert blocks(".html", page) == [
            Heading("Cleaning", 1),
            Paragraph("Wash H2O"),
            Paragraph("twice."),
            Paragraph("- a"),
            Paragraph("b"),
            Paragraph("tail"),
        ]

    def test_tables_with_merged_cells(self, blocks):
        page = """<table><caption>Limits</caption><tr><th>Defect<th colspan=2>Limit</tr>
        <tr><td rowspan=2>Pit<td>A<td>0.1</tr><tr><td>B<td>0.2</tr></table>
        <table><tr><th>Width</th><td>3 mm</td></tr></table>"""
        assert blocks(".html", page) == [
            Paragraph("Limits"),
            Row((("Defect", "Pit"), ("Limit", "A"), ("Limit", "0.1"))),
            Row((("Defect", "Pit"), ("Limit", "B"), ("Limit", "0.2"))),
            Row((("Width", "3 mm"),)),
        ]

    def test_a_page_in_a_layout_table_is_read(self, blocks):
        page = "<table><tr><td><h2>In</h2><p>Text</p><table><tr><td>a<td>b</table></table>"
        assert blocks(".html", page) == [Heading("In", 2), Paragraph("Text"), Row((("", "a"), ("", "b")))]

    @pytest.mark.parametrize(
        "hidden",
        [
            "<script>say('normal')</script>",
            "<style>p{}</style>",
            "<!-- normal -->",
            "<![CDATA[ normal ]]>",
            "<p hidden>normal</p>",
            '<p aria-hidden="true">normal</p>',
            '<p style="color:red; DISPLAY : none">normal</p>',
            '<p style="visibility:hidden">normal</p>',
            '<p style="font-size:0px">normal</p>',
            '<p style="opacity:0.0">normal</p>',
            "<template>normal</template><noscript>normal</noscript>",
            "<iframe src=http://example.com>normal</iframe><object data=file:///etc/passwd>normal</object>",
            "<svg><text>normal</text></svg>",
        ],
    )
    def test_nothing_hidden_is_read(self, blocks, hidden):
        assert blocks(".html", f"<p>Seen</p>{hidden}<p>too</p>") == [Paragraph("Seen"), Paragraph("too")]

    def test_small_but_visible_type_is_read(self, blocks):
        assert blocks(".html", '<p style="font-size:0.8em;opacity:0.5">Seen') == [Paragraph("Seen")]

    def test_a_declared_encoding(self, blocks):
        page = '<meta charset="Shift_JIS"><p>接点</p>'.encode("shift_jis")
        assert blocks(".html", page) == [Paragraph("接点")]

    def test_a_hundred_thousand_levels(self, blocks):
        assert blocks(".html", "<div>" * 20_000 + "deep" + "</div>" * 20_000) == [Paragraph("deep")]

    def test_spans_of_a_million_cells_are_bounded(self, blocks):
        page = "<table><tr><td rowspan=99999 colspan=99999>a<td>b</tr><tr><td>c</tr></table>"
        rows = blocks(".html", page, Limits(columns=5))
        assert all(len(row.cells) <= 5 for row in rows)
        assert rows[0].cells[0] == ("", "a")


class TestTable:
    def test_values_with_the_names_of_their_columns(self, blocks):
        text = 'Defect,Cause\n"Haze, white","Hard\nwater"\n\nPit,Dust,extra\nBare\n'
        assert blocks(".csv", text) == [
            Row((("Defect", "Haze, white"), ("Cause", "Hard\nwater"))),
            Row((("Defect", "Pit"), ("Cause", "Dust"), ("", "extra"))),
            Row((("Defect", "Bare"), ("Cause", ""))),
        ]

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_the_delimiter_is_told(self, blocks, delimiter):
        text = f"Name{delimiter}Limit{delimiter}Unit\nGap{delimiter}0.5{delimiter}mm\n"
        assert blocks(".tsv", text) == [Row((("Name", "Gap"), ("Limit", "0.5"), ("Unit", "mm")))]

    def test_excel_s_line_about_the_delimiter(self, blocks):
        assert blocks(".csv", "sep=|\r\nA|B\r\n1,5|2,5\r\n") == [Row((("A", "1,5"), ("B", "2,5")))]

    def test_semicolons_win_over_decimal_commas(self, blocks):
        assert blocks(".csv", "Gap;Limit\n0,5;1,5\n0,7;1,7\n")[0] == Row((("Gap", "0,5"), ("Limit", "1,5")))

    def test_a_line_alone_is_a_row(self, blocks):
        assert blocks(".csv", "Defect,Cause\n") == [Row((("", "Defect"), ("", "Cause")))]

    def test_numbers_are_no_names(self, blocks):
        assert blocks(".csv", "1,2\n3,4\n") == [Row((("", "1"), ("", "2"))), Row((("", "3"), ("", "4")))]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (",".join("x" * 2000), "line 1 has 2000 columns"),
            ('a,b\n"' + "x" * 200_000, "line 2: field larger"),
            ("x" * 5_000_000, "line 1 is longer"),
        ],
    )
    def test_what_is_no_table_is_refused_by_line(self, blocks, text, message):
        with pytest.raises(DocumentInvalid, match=message):
            blocks(".csv", text)

    @given(
        st.lists(
            st.lists(
                st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
                min_size=2,
                max_size=4,
            ),
            min_size=1,
            max_size=8,
        )
    )
    def test_every_value_is_read(self, rows):
        import csv

        file = io.StringIO()
        csv.writer(file).writerows(rows)
        raw = file.getvalue().encode("utf-8-sig")
        delimiters = {char for row in rows for cell in row for char in cell} & set(";\t|")
        if delimiters or file.getvalue().lower().startswith("sep="):
            return  # then a comma is a guess
        said = []
        for block in blocks_reader(".csv")(io.BytesIO(raw), Limits()):
            said += [part for cell in block.cells for part in cell]
        for row in rows:
            if any(cell.strip() for cell in row):
                assert all(cell in said for cell in row)


@pytest.mark.parametrize("suffix", [".md", ".txt", ".yaml", ".html", ".csv"])
class TestAnyTextFormat:
    def test_binary_data_is_refused(self, blocks, suffix):
        with pytest.raises(DocumentInvalid, match="binary data"):
            blocks(suffix, b"PK\x03\x04\0\0\0\0")

    def test_a_guessed_encoding_is_said(self, blocks, suffix):
        read = blocks(suffix, "Größe: drei\n".encode("cp1252"))
        assert isinstance(read[0], Note)
        assert "Größe" in str(read[1:])

    @given(st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused(self, blocks, suffix, raw):
        with contextlib.suppress(DocumentInvalid):
            assert all(isinstance(block, (Heading, Paragraph, Row, Note)) for block in blocks(suffix, raw))
