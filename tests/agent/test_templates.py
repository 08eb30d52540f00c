"""Products on record: add good images once, then `--product` alone is enough."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest

from agent.profiles import Profiles, slug
from knowledge_base.templates import Embedder
from tools.experts.calibration import perturbations
from tools.image import ImageStore


@pytest.fixture
def good_boards(examples, tmp_path):
    """A folder of one good board taken three times, and a file that is no picture."""
    folder = tmp_path / "good"
    folder.mkdir()
    board = cv2.imread(str(examples / "bare_pcb" / "good.jpg"))
    for number, copy in enumerate([board, *perturbations(board, count=2)]):
        cv2.imwrite(str(folder / f"{number}.png"), copy)
    (folder / "broken.png").write_text("no picture")
    return folder


@pytest.fixture
def own_data(tmp_path, data_dir):
    """A data folder without products, with the converted models of the whole run."""
    folder = tmp_path / "data"
    folder.mkdir()
    for part in ("models", "knowledge"):
        if (data_dir / part).is_dir():
            shutil.copytree(data_dir / part, folder / part)
    return folder


def test_a_product_on_record_needs_no_template(agent, examples, good_boards, own_data):
    added = agent("templates", "add", good_boards, "--product", "Bare PCB", "--data-dir", own_data)
    assert added.status == 0
    assert "bare_pcb: 3 good image(s) added, 3 on record" in added.out
    assert "broken.png" in added.err
    for expert in ("pair", "patchcore"):
        assert f"  {expert:<12} reliability" in added.out
    shutil.rmtree(good_boards)  # the record has its own copies
    verdicts = {}
    for name in ("short", "good_shifted"):
        image = examples / "bare_pcb" / f"{name}.jpg"
        ran = agent(
            "inspect", "-i", image, "--product", "bare_pcb", "--format", "json", "--data-dir", own_data
        )
        report = json.loads(ran.out)
        verdicts[name] = report["verdict"]
        assert report["readings"][0]["expert"] == "pair"
        assert str(own_data / "products" / "bare_pcb") in report["template"]["path"]
        steps = {step["step"]: step["reason"] for step in report["plan"]}
        assert "3 good image(s)" in steps["recall_templates"]
    assert verdicts == {"short": "anomalous", "good_shifted": "normal"}


def test_what_is_on_record_is_not_added_twice(agent, good_boards, own_data):
    once = agent("templates", "add", good_boards / "0.png", "--product", "board", "--data-dir", own_data)
    again = agent("templates", "add", good_boards, "--product", "board", "--data-dir", own_data)
    assert "1 good image(s) added, 1 on record" in once.out
    assert "2 good image(s) added, 1 there already, 3 on record" in again.out
    listed = agent("templates", "list", "--data-dir", own_data)
    assert listed.out.splitlines()[-1].split() == ["board", "3", "640x640", "is", "alone"]
    removed = agent("templates", "remove", "--product", "board", "--data-dir", own_data)
    assert "3 good image(s) forgotten" in removed.out
    assert "no product is on record" in agent("templates", "list", "--data-dir", own_data).err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("add", "nowhere.png", "--product", "x"), "no good image of 'x' could be added: there is no file"),
        (("add", "{broken}", "--product", "x"), "not a picture"),
        (("add", "{good}", "--product", "!!"), "holds no letter"),
        (("remove", "--product", "x"), "no product 'x' on record; on record: none"),
        (("search", "{good}"), "no good image of any product is on record"),
        (("search", "nowhere.png"), "there is no file nowhere.png"),
    ],
)
def test_mistakes_are_one_line(agent, good_boards, own_data, arguments, complaint):
    places = {"broken": good_boards / "broken.png", "good": good_boards / "0.png"}
    ran = agent("templates", *(str(a).format(**places) for a in arguments), "--data-dir", own_data)
    assert ran.status == 2
    assert complaint in ran.complaint
    assert "no product is on record" in agent("templates", "list", "--data-dir", own_data).err


def test_a_damaged_record_is_named(agent, examples, good_boards, own_data):
    agent("templates", "add", good_boards / "0.png", "--product", "board", "--data-dir", own_data)
    for file in (own_data / "products").glob("templates.sqlite*"):
        file.write_bytes(b"{" * 999)
    image = examples / "bare_pcb" / "good.jpg"
    ran = agent("inspect", "-i", image, "--product", "board", "--data-dir", own_data)
    assert ran.status == 2
    assert "templates.sqlite cannot be used" in ran.complaint
    assert "add the images again" in ran.complaint


def test_names_that_mean_one_product_share_a_record():
    assert slug("Bare PCB") == slug("bare_pcb") == slug("  bare-pcb ") == "bare_pcb"
    assert slug("../../etc") == "etc"
    assert slug("法兰") == "法兰"


@pytest.fixture
def profiles(tmp_path):
    """An empty record whose images are compared by the colours of their four quarters."""
    images = ImageStore(1_000_000, spool=tmp_path / "spool")
    return Profiles(tmp_path / "products", images, Embedder(quarters, "quarters")), images


def quarters(image):
    height, width = (max(1, side // 2) for side in image.shape[:2])
    return (
        np.concatenate(
            [image[y : y + height, x : x + width].mean(axis=(0, 1)) for y in (0, height) for x in (0, width)]
        )
        + 1.0
    )


def draw(folder, name, colours, seed=0):
    """A picture of four coloured quarters with a grain of its own."""
    folder.mkdir(exist_ok=True, parents=True)
    image = np.repeat(np.repeat(np.array(colours, float).reshape(2, 2, 3), 40, 0), 60, 1)
    image += np.random.default_rng(seed).normal(0, 12, (20, 30, 1)).repeat(4, 0).repeat(4, 1)
    cv2.imwrite(str(folder / name), np.clip(image, 0, 255).astype(np.uint8))
    return folder / name


NUT = ((200, 20, 20), (20, 20, 20), (20, 20, 20), (20, 20, 20))
BOLT = ((20, 20, 20), (20, 200, 20), (20, 20, 20), (20, 20, 200))


def test_the_order_of_the_record_is_the_order_of_arrival(tmp_path, profiles):
    record, images = profiles
    files = []
    for number in range(5):
        file = tmp_path / f"{9 - number}.png"
        cv2.imwrite(str(file), np.full((8, 8, 3), 40 * number, np.uint8))
        files.append(file)
    record.add("part", files[:3])
    addition = record.add("part", files[2:])
    order = [int(images.pixels(image)[0, 0, 0]) for image in record.images_of("part")]
    assert order == [0, 40, 80, 120, 160]
    assert (len(addition.known), len(addition.fresh), addition.added, addition.repeated) == (3, 2, 2, 1)


def test_a_stray_is_refused_and_can_be_added_anyway(tmp_path, profiles):
    record, _ = profiles
    nuts = [draw(tmp_path / "nut", f"{n}.png", NUT, n) for n in range(5)]
    bolts = [draw(tmp_path / "bolt", f"{n}.png", BOLT, 50 + n) for n in range(5)]
    record.add("nut", nuts)
    addition = record.add("bolt", [*bolts, nuts[0]])
    assert addition.added == 5
    assert [left.file for left in addition.refused] == [nuts[0]]
    assert "looks like nut (" in addition.refused[0].why
    assert "and not like bolt (" in addition.refused[0].why
    with_it = record.add("bolt", [nuts[0]], anyway=True)
    assert (with_it.added, with_it.refused) == (1, [])


def test_an_interrupted_add_keeps_what_was_done(tmp_path, profiles, monkeypatch):
    record, _ = profiles
    monkeypatch.setattr("agent.profiles.AT_A_TIME", 2)
    files = [draw(tmp_path / "nut", f"{n}.png", NUT, n) for n in range(5)]
    looked_at = []

    def advance():
        looked_at.append(1)
        if len(looked_at) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record.add("nut", files, advance=advance)
    assert record.counts() == {"nut": 4}
    rest = record.add("nut", files)
    assert (rest.before, rest.added, rest.repeated) == (4, 1, 4)


def test_experts_learn_from_as_many_as_fit(tmp_path, profiles, monkeypatch):
    record, _ = profiles
    monkeypatch.setattr("agent.profiles.MOST_LEARNT_PX", 3 * 80 * 120)
    addition = record.add("nut", [draw(tmp_path / "nut", f"{n}.png", NUT, n) for n in range(5)])
    assert (addition.added, len(addition.fresh)) == (5, 3)
    assert len(record.open("nut").profile) == 3
    assert record.counts() == {"nut": 5}


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """Where the first test puts two products on record, for the others to begin with a copy."""
    return tmp_path_factory.mktemp("two")


@pytest.fixture
def two_products(agent, examples, own_data, once):
    """Two products on record, three good images each; gives their folder and what adding printed."""
    if not (once / "data").is_dir():
        told = {}
        for product in ("bare_pcb", "blister_pack"):
            folder = once / product
            folder.mkdir()
            good = cv2.imread(str(examples / product / "good.jpg"))
            for number, copy in enumerate(perturbations(good, count=3)):
                cv2.imwrite(str(folder / f"{number}.png"), copy)
            if told:
                cv2.imwrite(str(folder / "again.jpg"), cv2.imread(str(folder / "1.png")))
                shutil.copy(once / "bare_pcb" / "0.png", folder / "stray.png")
            ran = agent("templates", "add", folder, "--product", product, "--json", "--data-dir", own_data)
            told[product] = {"out": ran.out, "err": ran.err}
        (once / "told.json").write_text(json.dumps(told))
        shutil.copytree(own_data, once / "data")
    shutil.copytree(once / "data", own_data, dirs_exist_ok=True)
    return once, json.loads((once / "told.json").read_text())


def test_what_add_list_search_and_remove_say_to_programs(agent, examples, own_data, two_products):
    folder, told = two_products
    added = json.loads(told["blister_pack"]["out"])
    assert (added["added"], added["on_record"]) == (3, 3)
    assert [row["file"] for row in added["same_picture"]] == [str(folder / "blister_pack" / "again.jpg")]
    assert [row["file"] for row in added["refused"]] == [str(folder / "blister_pack" / "stray.png")]
    assert {expert["name"] for expert in added["experts"]} >= {"pair", "patchcore"}
    assert (
        "stray.png was refused: it looks like bare_pcb (1.00) and not like blister_pack ("
        in told["blister_pack"]["err"]
    )

    listed = json.loads(agent("templates", "list", "--json", "--data-dir", own_data).out)
    assert [(row["product"], row["images"], row["told_apart"]) for row in listed] == [
        ("bare_pcb", 3, True),
        ("blister_pack", 3, True),
    ]
    turned = folder / "turned.png"
    cv2.imwrite(str(turned), np.rot90(cv2.imread(str(examples / "blister_pack" / "missing_tablet.jpg"))))
    found = json.loads(agent("templates", "search", turned, "--json", "--data-dir", own_data).out)
    assert found["recognised"]["product"] == "blister_pack"
    assert {row["product"] for row in found["templates"][:3]} == {"blister_pack"}
    assert found["templates"][0]["turn_deg"] == 270
    wrong = json.loads(
        agent("templates", "search", turned, "--product", "bare_pcb", "--json", "--data-dir", own_data).out
    )
    assert "looks like blister_pack" in wrong["warnings"][0]
    assert {row["product"] for row in wrong["templates"]} == {"bare_pcb"}
    removed = agent("templates", "remove", "--product", "bare_pcb", "--json", "--data-dir", own_data)
    assert json.loads(removed.out) == {"product": "bare_pcb", "removed": 3}


def test_tables_name_products_and_turns(agent, examples, own_data, two_products):
    listed = agent("templates", "list", "--data-dir", own_data).out
    assert "told from others" in listed
    assert [line.split() for line in listed.splitlines()[2:]] == [
        ["bare_pcb", "3", "640x640", "yes"],
        ["blister_pack", "3", "640x640", "yes"],
    ]
    query = examples / "bare_pcb" / "short.jpg"
    found = agent("templates", "search", query, "--limit", "2", "--data-dir", own_data).out
    assert found.splitlines()[2].split()[1:3] == ["no", "bare_pcb"]
    assert "shows bare_pcb (similarity 1.00; next is blister_pack, 0." in found


def test_an_inspection_says_that_the_part_looks_like_another_product(agent, examples, own_data, two_products):
    query = examples / "blister_pack" / "good_shifted.jpg"
    wrong, right = (
        json.loads(
            agent(
                "inspect", "-i", query, "--product", product, "--format", "json", "--data-dir", own_data
            ).out
        )
        for product in ("bare_pcb", "blister_pack")
    )
    (fault,) = [fault for fault in wrong["faults"] if fault["kind"] == "other_product"]
    assert fault["message"].startswith("the image looks like blister_pack (")
    assert not [fault for fault in right["faults"] if fault["kind"] == "other_product"]


def test_which_good_images_are_compared_is_a_setting(agent, examples, own_data, two_products, monkeypatch):
    query = examples / "bare_pcb" / "good_shifted.jpg"
    reasons = {}
    for choice in ("similar", "random", "none"):
        monkeypatch.setenv("AGENT_TEMPLATE_CHOICE", choice)
        ran = agent(
            "inspect", "-i", query, "--product", "bare_pcb", "--format", "json", "--data-dir", own_data
        )
        report = json.loads(ran.out)
        assert report["readings"][0]["expert"] == "pair"
        reasons[choice] = {step["step"]: step["detail"] for step in report["trace"]}.get(
            "recall_templates", ""
        )
    assert "3 good image(s), similar: " in reasons["similar"]
    assert "3 good image(s), random: " in reasons["random"]
    assert not reasons["none"]


def test_a_backbone_that_is_not_here_is_named_with_the_remedy(agent, examples, own_data, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(own_data / "no-hub"))
    query = examples / "bare_pcb" / "good.jpg"
    ran = agent("templates", "search", query, "--template-backbone", "vit_small_patch14_dinov2", "--data-dir", own_data)  # fmt: skip
    assert ran.status == 2
    assert "hf download timm/vit_small_patch14_dinov2.lvd142m" in ran.complaint
