"""Which sections a question asks for, by the words that people ask with.

A passage on the cause of a defect and one on its look share most of their words, and a question shares hardly
any with either: what tells them apart is that it asks why. The rules know English; a question in which they
find nothing is taken for an observation, which asks what is seen and whether it may pass.
"""

from __future__ import annotations

import re
from typing import Final

from knowledge_base.schema import Section


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


_WE: Final = r"(?:i|we|you|one)"
_OUGHT: Final = r"(?:do|should|must|can|could|shall|may|have to|need to|ought to)"
_MEND: Final = (
    r"(?:adjust|avoid|block|change|clean|contain|correct|cure|deal with|eliminate|fix|get rid of|handle|mend|"
    r"prevent|proceed|quarantine|reduce|remove|repair|rework|salvage|save|solve|sort|stop|straighten|treat|"
    r"turn down|turn up)"
)
_TELL: Final = (
    r"(?:be sure|check|confirm|detect|distinguish|find out|identify|know|measure|prove|recogni[sz]e|see|spot|"
    r"tell|test|verify)"
)
_PICTURE: Final = (
    r"(?:backlight\w*|camera\w*|contrast|expos\w+|glare|illuminat\w+|imag(?:e|es|ing)|infrared|invisible|lamps?|"
    r"lens\w*|light(?:s|ing)?|lit|magnif\w+|microscope|overexposed|photo\w*|pictures?|pixels?|polari[sz]\w+|"
    r"reflect\w+|resolution|scann?\w*|uv|visible|x-?rays?)"
)

_RULES: Final[tuple[tuple[frozenset[Section], re.Pattern[str]], ...]] = (
    (
        frozenset(("cause",)),
        _any(
            r"\bwhy\b",
            r"\bhow come\b",
            r"\b(?:causes?|caused|origins?|reasons?)\b",
            r"\b(?:because|due to|comes? from|culprit|leads? to|to blame)\b",
            r"\bhow (?:can|could|did|do|does)\b.*\b(?:happen|get (?:in|into|on|onto|there)|occur)\b",
            r"\bhow (?:can|could) (?:it|one|that|these|this)\b.*\bbe\b",
            r"\bwhat (?:can|could|might|would) (?:have )?(?:be wrong|cause|done|lead|made|make)\b",
            r"\bwhich (?:machine|process|station|step|tool)\b",
            r"\bwhere\b.*\bfrom\b",
            r"\bwhere (?:is|are|was|were) (?:it|they|that|this) made\b",
            r"\bwhat(?:'s|s| is| was| has| went| goes)? (?:going|gone|wrong)\b",
            rf"\bwhat did {_WE} do\b",
            r"\bwhat (?!(?:is|does|was|has|happens|goes|looks|counts|this|colours|colors)\b)\w+s\b",
            r"\btoo (?:few |little |many |much )?\w+\W*$",
            r"\b(?:always|each time|every time|since|whenever|wherever)\b",
        ),
    ),
    (
        frozenset(("action",)),
        _any(
            r"\bwhat (?:now|next|first)\b",
            r"\bnow what\b",
            rf"\bwhat {_OUGHT} (?:{_WE}|be)\b",
            r"\bwhat to (?:do|change)\b",
            r"\bwhat (?:has|is|needs|ought) to\b",
            rf"\b(?:do|does) (?:i|we) (?:have to|need to|{_MEND})\b",
            r"\b(?:what|which) settings?\b",
            r"\bwhat about the\b",
            r"\bhow far back\b",
            rf"\bhow (?:{_OUGHT}|to)\b.*\b{_MEND}\b",
            rf"\b(?:can|may|must|shall|should) (?:i|we) (?!{_TELL}\b|look\b|reject\b|scrap\b)",
            r"\b(?:can|may|must|should) (?:it|that|the|they|this)\b.*\bbe \w+(?:ed|n|t)\b",
            r"\b(?:avoid|containment|corrective|countermeasures?|fix|next steps?|prevent|preventive)\b",
            r"\b(?:quarantine|remedy|repair|rework)\b",
        ),
    ),
    (
        frozenset(("confirm",)),
        _any(
            rf"\bhow (?:{_OUGHT}|to|would)\b.*\b(?:{_TELL}|put a figure)\b",
            r"\bhow (?:big|deep|long|thick|wide) (?:is|are)\b",
            r"\b(?:are|came|can|did|do|does|is|really|was|were)\b.* or\b(?! not\b)",
            r"\bor (?:just|only|real|really)\b",
            r"\b\w+ or (?:\w+ ){0,3}\w+\W*$",
            r"\bhow (?:are|is)\b.*\b(?:checked|measured|proven?|tested|told|verified)\b",
            r"\b(?:which|what) (?:check|gauge|measurement|method|test)\b",
            r"\b(?:confirm|difference between|make sure|prove|tell apart|verify|whether)\b",
        ),
    ),
    (
        frozenset(("effect",)),
        _any(
            r"\bwhat\b.*\bhappens?\b",
            r"\bwhat (?:can|could|do|does|will|would)\b.* (?:cause|do|mean)\b",
            r"\bwhat if\b",
            r"\b(?:affects?|consequences?|dangerous|effects?|harm|harmful|hurts?|impact|influences?|risks?|risky)\b",
            r"\bwill (?:it|they|the \w+)\b",
            r"\b(?:do|does|will) (?:it|they) still\b",
        ),
    ),
    (
        frozenset(("defect", "variation")),
        _any(
            r"\b(?:acceptable|accept(?:ed)?|allowed|ok|okay|permitted|tolera\w+)\b",
            r"\b(?:fail|pass|reject|scrap|sort out)\b",
            r"\b(?:bad|deviation|error|fault|fine|good|normal) *\?",
            r"\bmatters?\b",
            r"\bhow (?:bad|critical|serious|severe)\b",
            r"\bhow (?:big|deep|far|large|long|many|much|small|wide)\b.*\b(?:before|can|may|still|until)\b",
            r"\b(?:cosmetic|good enough|limits?|sellable|severity|ship|usable|within spec)\b",
            r"\bstill (?:fine|good|sell\w*|usable)\b",
            r"\bcan (?:it|that|they|this) (?:be|pass|stay)\b",
            r"\blet it (?:go|pass)\b",
            r"\b(?:are|is) (?:it|that|these|they|this) (?:bad|fine|good|defects|faults|flaws)\b",
            r"\bis (?:it|that|this) an? (?:crack|defect|error|fault|flaw|problem)\b",
            r"\bdo(?:es)? (?:it|that|they|this)(?: still)? count\b",
            r"\bor not\b",
        ),
    ),
    (
        frozenset(("imaging",)),
        _any(
            rf"\b{_PICTURE}\b",
            r"\b(?:can't|cannot|can not|never) (?:\w+ )?(?:see|tell)\b",
            rf"\bhow (?:can|do|should) {_WE} (?:find|look)\b",
            r"\bhow (?:bright|dark)\b",
        ),
    ),
    (
        frozenset(("layout", "normal", "variation")),
        _any(
            r"\bhow (?:many|much)\b",
            r"\bnum\w* of\b",
            r"\b(?:\d+|one|two|three|four) or (?:\d+|two|three|four|five)\b",
            r"\bwhere (?:do|does|should) the\b.*\b(?:be|belong|go|sit)\b",
            r"\b(?:meant|supposed) to\b",
            r"\bdo(?:es)? (?:all|each|every)\b",
            r"\bshould (?:it|the|there|they|this)\b.*\b(?:be|have|look)\b",
            r"\bshould there\b",
            r"\bwhat (?:must|should) (?:it|the|there|they|this)\b",
            r"\b(?:in what|what|which) (?:colou?rs?|order|position|side|way)\b",
            r"\bhow far (?:apart|from)\b",
            r"\bbelongs?\b",
            r"\b(?:how|what) (?:do|does|must|should)\b.*\blook\b",
        ),
    ),
)

OBSERVATION: Final[frozenset[Section]] = frozenset(("defect", "variation"))
"""What a text asks for that only says what is seen."""

_MOST_CHARACTERS: Final = 500  # people ask at the beginning or the end


def sections_asked(question: str) -> frozenset[Section]:
    """The sections that a question asks for; several if it can be read in several ways."""
    text = question.casefold().replace("’", "'")
    if len(text) > 2 * _MOST_CHARACTERS:
        text = f"{text[:_MOST_CHARACTERS]}\n{text[-_MOST_CHARACTERS:]}"
    asked = [sections for sections, pattern in _RULES if pattern.search(text)]
    return frozenset().union(*asked) if asked else OBSERVATION
