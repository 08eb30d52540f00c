"""The explanation as one HTML page that holds every picture that the model saw."""

from __future__ import annotations

from pathlib import Path

from agent.explain.story import Story
from agent.explain.wording import ExplainWording, visible_lines
from agent.render.html import data_uri, page_environment


def explain_html(story: Story, pictures: Path) -> str:
    """Write one self-contained page.

    Args:
        story: what to tell.
        pictures: the folder that holds what was seen.
    """
    seen = {
        part.picture: data_uri(part.picture, file)
        for step in story.steps
        for told in step.calls
        for turn in told.new_turns
        for part in turn.parts
        if part.picture is not None and (file := pictures / part.picture).is_file()
    }
    words = ExplainWording(story.report.language)
    page = page_environment(Path(__file__).parent).get_template("explanation.html.j2")
    return page.render(story=story, words=words, say=words.say, seen=seen, lines=visible_lines)
