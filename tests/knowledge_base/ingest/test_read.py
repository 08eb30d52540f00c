"""Files and folders as sources: provenance, ids and digests, what is left out, and what cannot leave the folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import docx
import pytest

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.folder import Remark
from knowledge_base.ingest.limits import Limits
from knowledge_base.ingest.product_document import is_product_document
from knowledge_base.ingest.read import read_sources
from knowledge_base.load import SHIPPED_DOCUMENTS

GUIDE = "# Cleaning\n\nWash the tape.\n\n## Causes\n\nHard water leaves spots.\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "handbook"
    root.mkdir()
    return root


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def sources(path: Path, **options):
    return list(read_sources(path, **options))


class TestOneFile:
    def test_every_format_is_read_with_its_provenance(self, folder, pdf, passages_of):
        document = docx.Document()
        document.add_heading("Cleaning", 1)
        document.add_paragraph("Wash the tape.")
        document.save(str(folder / "a.docx"))
        write(
            folder,
            {
                "b.pdf": pdf([(20, "Cleaning"), (10, "Wash the tape. It takes an hour and a half or so.")]),
                "c.md": "# Cleaning\n\nWash the tape.",
                "d.html": "<h1>Cleaning</h1>Wash the tape.",
                "e.yaml": "Cleaning: {What: Wash the tape.}",
                "f.csv": "Step,What\nCleaning,Wash the tape.\n",
                "g.tsv": "Step\tWhat\nCleaning\tWash the tape.\n",
                "h.TXT": "Wash the tape.",
                "i.htm": "<h1>Cleaning</h1>Wash the tape.",
                "j.yml": "Cleaning: {What: Wash the tape.}",
                "k.markdown": "# Cleaning\n\nWash the tape.",
            },
        )
        passages = passages_of(folder)
        assert [passage.source for passage in passages] == [
            "a.docx, Cleaning",
            "b.pdf, page 1, Cleaning",
            "c.md, Cleaning",
            "d.html, Cleaning",
            "e.yaml, Cleaning",
            "f.csv",
            "g.tsv",
            "h.TXT",
            "i.htm, Cleaning",
            "j.yml, Cleaning",
            "k.markdown, Cleaning",
        ]
        assert all("Wash the tape." in passage.text for passage in passages)
        assert not passages_of.remarks

    def test_a_passage_belongs_to_its_source(self, folder):
        write(folder, {"guide.md": GUIDE})
        (source,) = sources(folder / "guide.md", product="zipper")
        first, second = source.passages()
        assert (source.library, source.title, source.product) == ("files", "guide.md", "zipper")
        assert source.origin == str(folder / "guide.md")
        assert source.key.startswith("files/")
        assert {first.document, second.document} == {source.key}
        assert first.id.startswith(f"{source.key}/")
        assert (first.section, second.section) == ("text", "cause")
        assert (first.product, first.heading) == ("zipper", "zipper, guide: Cleaning")
        assert second.source == "guide.md, Cleaning > Causes"

    def test_passages_can_be_read_again_and_side_by_side(self, folder):
        write(folder, {"a.md": GUIDE, "b.md": GUIDE.replace("tape", "slider")})
        first, second = sources(folder)
        both = list(zip(first.passages(), second.passages(), strict=True))
        assert [left for left, _ in both] == list(first.passages())
        assert both[0][1].text == "Wash the slider."

    def test_ids_stay_when_the_file_changes_elsewhere(self, folder):
        write(folder, {"guide.md": GUIDE})
        (before,) = sources(folder)
        ids = {passage.text: passage.id for passage in before.passages()}
        write(
            folder,
            {"guide.md": "# Preface\n\nNew.\n\n" + GUIDE + "\n## Causes\n\nHard water leaves spots.\n"},
        )
        (after,) = sources(folder)
        new = list(after.passages())
        assert after.key == before.key
        assert after.digest != before.digest
        assert {passage.text: passage.id for passage in reversed(new)} == ids | {"New.": new[0].id}
        assert len({passage.id for passage in new}) == len(new) == 4

    def test_the_digest_follows_content_name_product_and_library(self, folder):
        write(folder, {"a.md": GUIDE, "sub/a.md": GUIDE})
        path = folder / "a.md"
        digests = [
            sources(path)[0].digest,
            sources(path, product="zipper")[0].digest,
            sources(path, library="own")[0].digest,
            sources(folder)[1].digest,  # shown as sub/a.md
        ]
        assert len(set(digests)) == 4
        assert sources(path)[0].digest == digests[0] == sources(folder)[0].digest

    def test_a_relative_path_and_a_link_to_the_folder_name_the_same_document(self, folder, monkeypatch):
        write(folder, {"a.md": GUIDE})
        link = folder.parent / "link"
        link.symlink_to(folder)
        monkeypatch.chdir(folder.parent)
        keys = {sources(path)[0].key for path in (folder, Path("handbook"), link, folder / "a.md")}
        assert len(keys) == 1

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("a.xlsx", "x", r"a\.xlsx: is of no format that is read \(\.xlsx\)"),
            ("README", "x", r"README: is of no format that is read \(no suffix\)"),
            ("a.md", "", r"a\.md: is empty"),
            ("a.yaml", "schema_version: 1\nid: x\n", r"a\.yaml: is a product document .* `agent kb add`"),
        ],
    )
    def test_a_file_that_is_not_read_is_refused_at_once(self, folder, name, content, message):
        write(folder, {name: content})
        with pytest.raises(DocumentInvalid, match=message):
            read_sources(folder / name)

    def test_a_missing_path_is_refused_at_once(self, folder):
        with pytest.raises(DocumentInvalid, match=r"none\.pdf: cannot be read .*; name a file or a folder"):
            read_sources(folder / "none.pdf")

    def test_a_loop_of_links_is_refused(self, folder):
        (folder / "loop").symlink_to(folder / "loop")
        with pytest.raises(DocumentInvalid, match="cannot be read"):
            read_sources(folder / "loop")

    @pytest.mark.parametrize("text", ["\n \n", "<!-- nothing -->", "\u200b\u202e"])
    def test_a_file_without_text_is_refused(self, folder, passages_of, text):
        write(folder, {"a.md": text})
        with pytest.raises(DocumentInvalid, match=r"a\.md: holds no text"):
            passages_of(folder / "a.md")

    def test_a_huge_file_is_refused_unread(self, folder):
        with (folder / "huge.csv").open("wb") as file:
            file.truncate(10_000_000_000)  # sparse: it takes no room on the disk
        with pytest.raises(
            DocumentInvalid, match=r"huge\.csv: has 10000 MB, and 512 MB are read of a \.csv file"
        ):
            read_sources(folder / "huge.csv")

    @pytest.mark.parametrize(
        ("limits", "message"),
        [
            (Limits(passages=20), r"rows\.csv: falls into more than 20 passages"),
            (Limits(characters=200), r"rows\.csv: holds more than 200 characters"),
        ],
    )
    def test_limits_name_the_file_and_the_remedy(self, folder, passages_of, limits, message):
        write(folder, {"rows.csv": "Name,Limit\n" + "Gap,one\n" * 50})
        with pytest.raises(DocumentInvalid, match=f"{message}.*; split it"):
            passages_of(folder / "rows.csv", limits=limits)

    def test_names_of_files_are_text_of_strangers_too(self, folder, passages_of):
        write(folder, {"evil\u202efdp\n\x1b[31m.md": GUIDE})
        assert passages_of(folder)[0].source == "evilfdp [31m.md, Cleaning"

    def test_long_trails_of_headings_keep_their_end(self, folder, passages_of):
        heads = "".join(f"{'#' * level} {'Part of the handbook ' * 5}{level}\n\n" for level in range(1, 7))
        write(folder, {"a.md": heads + "Text."})
        assert passages_of(folder)[-1].source.endswith("handbook 6")
        assert len(passages_of(folder)[-1].source) < 320


class TestFolder:
    def test_order_and_names_do_not_depend_on_the_disk(self, folder, passages_of):
        write(folder, dict.fromkeys(("b.md", "a/z.md", "a/b/c.md", "B.md"), GUIDE))
        assert [source.title for source in sources(folder)] == ["B.md", "a/b/c.md", "a/z.md", "b.md"]
        assert passages_of(folder)[2].source == "a/b/c.md, Cleaning"

    def test_what_is_left_out_is_said(self, folder, passages_of):
        write(
            folder,
            {
                "ok.md": GUIDE,
                ".git/config.md": "x",
                ".secret.md": "x",
                "~$draft.docx": "x",
                "picture.png": "x",
                "empty.txt": "",
                "zipper.yaml": "schema_version: 1\n",
                "large.html": "x" * 100,
            },
        )
        assert {p.document for p in passages_of(folder, limits=Limits(tree_bytes=90))} == {
            sources(folder)[1].key
        }
        messages = passages_of.skipped
        assert list(messages) == [
            ".git", ".secret.md", "empty.txt", "large.html", "picture.png", "zipper.yaml", "~$draft.docx",
        ]  # fmt: skip
        assert messages[".git"] == "is hidden"
        assert messages["picture.png"].startswith("is of no format that is read (.png)")
        assert "product document" in messages["zipper.yaml"]
        assert messages["large.html"].endswith("split it")

    def test_a_folder_of_nothing_is_an_error(self, folder):
        write(folder, {"a.png": "x", "b.png": "x"})
        with pytest.raises(
            DocumentInvalid, match=r"handbook: holds no file that can be read \(2 were skipped\)"
        ):
            sources(folder)

    def test_one_bad_file_does_not_stop_the_others(self, folder):
        write(folder, {"a.md": GUIDE, "b.pdf": b"no pdf", "c.md": GUIDE})
        first, bad, last = sources(folder)
        with pytest.raises(DocumentInvalid, match=r"b\.pdf: is no PDF"):
            list(bad.passages())
        assert len(list(first.passages())) == len(list(last.passages())) == 2

    def test_notes_are_said_while_passages_are_read(self, folder, passages_of):
        write(folder, {"a.txt": "Größe".encode("cp1252")})
        assert passages_of(folder)[0].text == "Größe"
        assert passages_of.notes == ["a.txt: is not UTF-8; read as Windows-1252 (Western European)"]

    def test_nothing_is_read_before_it_is_asked_for(self, folder):
        write(folder, {f"{n:03}.md": GUIDE for n in range(50)})
        waiting = read_sources(folder)
        assert next(waiting).title == "000.md"
        (folder / "001.md").unlink()
        assert next(waiting, None).title == "002.md"

    def test_too_many_files_are_said(self, folder):
        write(folder, {f"{n}.md": GUIDE for n in range(6)} | {"sub/x.md": GUIDE, "sub/y.md": GUIDE})
        remarks: list[Remark] = []
        found = sources(folder, limits=Limits(files=7), remark=remarks.append)
        assert len(found) == 6
        assert [remark.file for remark in remarks] == ["sub"]
        assert "more than 7 files" in remarks[0].message

    def test_folders_too_deep_are_said(self, folder, passages_of):
        write(folder, {"/".join("d" * 40) + "/a.md": GUIDE, "top.md": GUIDE})
        assert {p.source.split(",")[0] for p in passages_of(folder)} == {"top.md"}
        assert list(passages_of.skipped.values()) == ["lies deeper than 32 folders"]


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")
class TestNothingLeavesTheFolder:
    def test_links_are_not_followed(self, folder, passages_of):
        outside = folder.parent / "outside"
        write(outside, {"secret.md": "secret"})
        write(folder, {"ok.md": GUIDE})
        (folder / "file.md").symlink_to(outside / "secret.md")
        (folder / "sub").symlink_to(outside)
        (folder / "up").symlink_to(folder.parent)
        (folder / "gone.md").symlink_to(folder / "none")
        assert "secret" not in "".join(passage.text for passage in passages_of(folder))
        assert passages_of.skipped == dict.fromkeys(
            ("file.md", "gone.md", "sub", "up"), "is a link; links are not followed"
        )

    def test_a_file_that_became_a_link_is_not_read(self, folder):
        write(folder.parent / "outside", {"secret.md": "secret"})
        write(folder, {"a.md": GUIDE, "sub/b.md": GUIDE})
        first, second = sources(folder)
        (folder / "a.md").unlink()
        (folder / "a.md").symlink_to(folder.parent / "outside" / "secret.md")
        (folder / "sub").rename(folder / "old")
        (folder / "sub").symlink_to(folder / "old")
        for source in (first, second):
            with pytest.raises(DocumentInvalid, match="is a link now"):
                list(source.passages())

    @pytest.mark.timeout(20)
    def test_pipes_and_sockets_do_not_block(self, folder, passages_of):
        write(folder, {"ok.md": GUIDE})
        os.mkfifo(folder / "pipe.md")
        assert passages_of(folder)
        assert passages_of.skipped == {"pipe.md": "is no file (a pipe or a device)"}

    @pytest.mark.timeout(20)
    def test_a_file_that_became_a_pipe_does_not_block(self, folder):
        write(folder, {"a.md": GUIDE})
        (source,) = sources(folder)
        (folder / "a.md").unlink()
        os.mkfifo(folder / "a.md")
        with pytest.raises(DocumentInvalid, match="is no file"):
            list(source.passages())

    def test_a_file_that_is_gone_is_an_error_of_its_own(self, folder):
        write(folder, {"a.md": GUIDE})
        (source,) = sources(folder)
        (folder / "a.md").unlink()
        with pytest.raises(DocumentInvalid, match=r"a\.md: cannot be read \(No such file"):
            list(source.passages())

    @pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may read everything")
    def test_what_may_not_be_read_is_said(self, folder, passages_of):
        write(folder, {"ok.md": GUIDE, "no.md": GUIDE, "closed/a.md": GUIDE})
        (folder / "no.md").chmod(0)
        (folder / "closed").chmod(0)
        try:
            assert passages_of(folder)
        finally:
            (folder / "closed").chmod(0o700)
        assert set(passages_of.skipped) == {"no.md", "closed"}

    def test_names_that_are_no_unicode(self, folder, passages_of):
        try:
            Path(os.fsdecode(os.fsencode(folder) + b"/bad\xff.md")).write_text(GUIDE)
        except OSError:
            pytest.skip("this file system takes Unicode names only")
        assert passages_of(folder)[0].source == "bad\ufffd.md, Cleaning"


class TestProductDocuments:
    def test_ours_are_told(self):
        assert all(is_product_document(path) for path in SHIPPED_DOCUMENTS.glob("*.yaml"))

    @pytest.mark.parametrize(
        ("text", "is_one"),
        [
            ("schema_version: 1\n", True),
            ("id: x\nname: {a: b}\nlist: [1, 2]\nschema_version: 1\n", True),
            ("schema_version: 1\nbroken: [", True),
            ("{schema_version: 1}", True),
            ("note: schema_version\n", False),
            ("inner: {schema_version: 1}", False),
            ("- schema_version: 1\n", False),
            ("? [schema_version]\n: 1\n", False),
            ("schema_version", False),
            ("", False),
            ("\0", False),
            ("[" * 100_000, False),
        ],
    )
    def test_only_the_outermost_key_counts(self, folder, text, is_one):
        write(folder, {"a.yaml": text, "a.md": text})
        assert is_product_document(folder / "a.yaml") is is_one
        assert not is_product_document(folder / "a.md")

    def test_a_missing_file_is_none(self, folder):
        assert not is_product_document(folder / "none.yaml")
