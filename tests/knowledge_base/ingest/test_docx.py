"""DOCX: what Word's writers make, what they hide, and archives that are made to harm."""

from __future__ import annotations

import io
import zipfile

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.blocks import Heading, Paragraph, Row
from knowledge_base.ingest.limits import Limits


def saved(document) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def with_body(xml: str) -> bytes:
    """A document with this inside its body."""
    document = docx.Document()
    boxes = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:wps="urn:shapes"'
    for element in parse_xml(f"<w:body {nsdecls('w')} {boxes}>{xml}</w:body>"):
        document.element.body.insert(-1, element)
    return saved(document)


def replaced(raw: bytes, **members: bytes) -> bytes:
    """The archive with other contents for some parts of `word/`."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = members.get(name.removeprefix("word/").removesuffix(".xml"))
            new.writestr(name, old.read(name) if content is None else content)
    return file.getvalue()


def document_xml(body: str, before: str = "") -> bytes:
    return f"<?xml version='1.0'?>{before}<w:document {nsdecls('w')}><w:body>{body}</w:body></w:document>".encode()


@pytest.fixture(scope="module")
def plain() -> bytes:
    document = docx.Document()
    document.add_paragraph("Text.")
    return saved(document)


def test_headings_lists_and_tables_in_order(blocks):
    document = docx.Document()
    document.add_heading("Zipper", 0)
    document.add_heading("Cleaning", 1)
    document.add_paragraph("Wash the tape.\tTwice.")
    document.add_heading("Residues", 2)
    table = document.add_table(rows=0, cols=3)
    for texts in (
        ("Defect", "Cause", "Action"),
        ("Haze", "Hard water", "Soften it"),
        ("Rim", "Flux", "Rinse"),
    ):
        for cell, text in zip(table.add_row().cells, texts, strict=True):
            cell.text = text
    table.cell(2, 0).merge(table.cell(1, 0))
    document.add_paragraph("After.")
    assert blocks(".docx", saved(document)) == [
        Heading("Zipper", 1),
        Heading("Cleaning", 2),
        Paragraph("Wash the tape. Twice."),
        Heading("Residues", 3),
        Row((("Defect", "Haze Rim"), ("Cause", "Hard water"), ("Action", "Soften it"))),
        Row((("Defect", "Haze Rim"), ("Cause", "Flux"), ("Action", "Rinse"))),
        Paragraph("After."),
    ]


def test_a_table_of_two_columns_has_no_header_unless_it_says_so(blocks):
    document = docx.Document()
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(
        (c for row in table.rows for c in row.cells), ("Width", "3 mm", "Length", "9 mm"), strict=True
    ):
        cell.text = text
    assert blocks(".docx", saved(document))[0] == Row((("", "Width"), ("", "3 mm")))
    table.rows[0]._tr.get_or_add_trPr().append(parse_xml(f"<w:tblHeader {nsdecls('w')}/>"))
    assert blocks(".docx", saved(document)) == [Row((("Width", "Length"), ("3 mm", "9 mm")))]


def test_styles_based_on_headings_are_headings(blocks):
    document = docx.Document()
    own = document.styles.add_style("Defect name", docx.enum.style.WD_STYLE_TYPE.PARAGRAPH)
    own.base_style = document.styles["Heading 2"]
    document.add_paragraph("Bridge", style=own)
    assert blocks(".docx", saved(document)) == [Heading("Bridge", 3)]


def test_text_boxes_content_controls_links_and_insertions_are_read(blocks):
    raw = with_body(
        "<w:sdt><w:sdtContent><w:p><w:r><w:t>Form</w:t></w:r></w:p></w:sdtContent></w:sdt>"
        "<w:p><w:hyperlink><w:r><w:t>Link</w:t></w:r></w:hyperlink><w:ins><w:r><w:t> added</w:t></w:r></w:ins>"
        "<w:r><mc:AlternateContent><mc:Choice><wps:txbx><w:txbxContent><w:p><w:r><w:t>Boxed</w:t></w:r></w:p>"
        "</w:txbxContent></wps:txbx></mc:Choice><mc:Fallback><w:p><w:r><w:t>Boxed</w:t></w:r></w:p></mc:Fallback>"
        "</mc:AlternateContent></w:r></w:p>"
    )
    assert blocks(".docx", raw) == [Paragraph("Form"), Paragraph("Link added"), Paragraph("Boxed\n")]


def test_deleted_and_hidden_text_and_field_codes_are_not_read(blocks):
    raw = with_body(
        "<w:p><w:r><w:t>Seen</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>say normal</w:t></w:r>"
        '<w:r><w:rPr><w:vanish w:val="false"/></w:rPr><w:t> too</w:t></w:r>'
        "<w:r><w:instrText>INCLUDETEXT /etc/passwd</w:instrText></w:r></w:p>"
    )
    assert blocks(".docx", raw) == [Paragraph("Seen too")]


def test_cells_of_a_table_in_a_cell_belong_to_the_outer_cell(blocks):
    document = docx.Document()
    outer = document.add_table(rows=1, cols=2)
    outer.cell(0, 0).text = "A"
    inner = outer.cell(0, 1).add_table(rows=1, cols=2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "b", "c"
    assert blocks(".docx", saved(document)) == [Row((("", "A"), ("", "b c")))]


def test_footnotes_follow(blocks, plain):
    notes = f"<w:footnotes {nsdecls('w')}><w:footnote><w:p><w:r><w:t>Note.</w:t></w:r></w:p></w:footnote></w:footnotes>"
    file = io.BytesIO(plain)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("word/footnotes.xml", notes)
    assert blocks(".docx", file.getvalue()) == [Paragraph("Text."), Paragraph("Note.")]


class TestHostile:
    def test_entities_are_refused_before_they_grow(self, blocks, plain):
        laughs = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 12))
        bomb = document_xml(
            "<w:p><w:r><w:t>&l11;</w:t></w:r></w:p>", f"<!DOCTYPE w [<!ENTITY l0 'ha'>{laughs}]>"
        )
        with pytest.raises(DocumentInvalid, match="document type"):
            blocks(".docx", replaced(plain, document=bomb))

    def test_external_entities_are_refused(self, blocks, plain, tmp_path):
        secret = tmp_path / "secret"
        secret.write_text("secret")
        before = f"<!DOCTYPE w [<!ENTITY x SYSTEM '{secret.as_uri()}'>]>"
        xml = document_xml("<w:p><w:r><w:t>&x;</w:t></w:r></w:p>", before)
        for encoding in ("utf-8", "utf-16"):
            with pytest.raises(DocumentInvalid, match="document type"):
                blocks(".docx", replaced(plain, document=xml.decode().encode(encoding)))

    def test_a_bomb_is_refused_before_it_is_unpacked(self, blocks, plain):
        bomb = replaced(plain, document=b" " * 50_000_000)
        assert len(bomb) < 200_000
        with pytest.raises(DocumentInvalid, match="unpacks to 50 MB, and 20 MB are read"):
            blocks(".docx", bomb, Limits(member_bytes=20_000_000))

    def test_a_lie_about_the_unpacked_size_is_found(self, blocks, plain):
        bomb = replaced(plain, document=document_xml("<w:p/>" * 100_000))
        with zipfile.ZipFile(io.BytesIO(bomb)) as archive:
            size = archive.getinfo("word/document.xml").file_size
        lie = bomb.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
        assert lie != bomb
        with pytest.raises(DocumentInvalid, match="no readable DOCX"):
            blocks(".docx", lie)

    def test_too_many_members(self, blocks, plain):
        file = io.BytesIO(plain)
        with zipfile.ZipFile(file, "a") as archive:
            for n in range(200):
                archive.writestr(f"word/media/{n}.png", b"")
        with pytest.raises(DocumentInvalid, match="more than 100 parts"):
            blocks(".docx", file.getvalue(), Limits(members=100))

    def test_names_that_leave_the_folder_are_not_unpacked(self, blocks, plain, tmp_path, monkeypatch):
        inside = tmp_path / "inside"
        inside.mkdir()
        monkeypatch.chdir(inside)
        file = io.BytesIO(plain)
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("../escaped.txt", "x")
            archive.writestr("/tmp/escaped.txt", "x")
        assert blocks(".docx", file.getvalue()) == [Paragraph("Text.")]
        assert [path.name for path in tmp_path.rglob("*")] == ["inside"]

    def test_remote_templates_and_pictures_are_not_fetched(self, blocks, plain):
        # Sockets are closed in tests: an attempt would raise.
        relations = (
            b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            b'<Relationship Id="r1" Type="http://x/attachedTemplate" Target="http://203.0.113.1/t.dotm" '
            b'TargetMode="External"/></Relationships>'
        )
        file = io.BytesIO(plain)
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("word/_rels/settings.xml.rels", relations)
        assert blocks(".docx", file.getvalue()) == [Paragraph("Text.")]

    def test_a_hundred_thousand_levels(self, blocks, plain):
        deep = document_xml("<w:sdt>" * 100_000 + "<w:p><w:r><w:t>x</w:t></w:r></w:p>" + "</w:sdt>" * 100_000)
        assert blocks(".docx", replaced(plain, document=deep)) == [Paragraph("x")]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda raw: b"", "no readable DOCX"),
            (lambda raw: raw[: len(raw) // 2], "no readable DOCX"),
            (lambda raw: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old .doc"),
            (lambda raw: replaced(raw, document=b"<w:document"), "damaged XML"),
            (lambda raw: replaced(raw, document=b"\xff\xfe\x00"), "damaged XML"),
        ],
    )
    def test_damage_is_named(self, blocks, plain, change, message):
        with pytest.raises(DocumentInvalid, match=message):
            blocks(".docx", change(plain))

    def test_another_archive_is_no_document(self, blocks):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("xl/workbook.xml", "<workbook/>")
        with pytest.raises(DocumentInvalid, match="no Word document"):
            blocks(".docx", file.getvalue())

    def test_an_unusual_packing_is_refused(self, blocks):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
            archive.writestr("word/document.xml", document_xml("<w:p/>"))
        with pytest.raises(DocumentInvalid, match="unusual"):
            blocks(".docx", file.getvalue())
