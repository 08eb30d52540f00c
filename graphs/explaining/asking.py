"""The words that inspectors ask with, in English and Chinese: a topic has patterns that always ask for it.

Patterns are for text in lower case, with single spaces. Weaker ones count where nothing else is asked.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias, get_args

Topic: TypeAlias = Literal[
    "verdict",
    "type",
    "where",
    "size",
    "severity",
    "cause",
    "action",
    "confidence",
    "score",
    "compared",
    "knowledge",
    "layout",
    "print",
    "faults",
    "time",
]
"""What can be asked, in the order in which it is answered."""

TOPICS: Final[tuple[Topic, ...]] = get_args(Topic)


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


_HAPPENS: Final = r"(?:appear|arise|develop|form|get (?:in|on|there)|happen|occur)\w*"
_INSPECTION: Final = r"(?:analysis|check|checking|it|inspection|measuring|measurement|run|that|this|you)"
_PART: Final = r"(?:board|image|one|part|piece|sample|unit)"
_DEFECT: Final = r"(?:anomal(?:y|ies)|defects?|deviations?|faults?|findings?|flaws?|issues?|marks?|problems?)"
_UNITS: Final = r"(?:ms|minutes|mm|percent|pixels|px|seconds)"

STRONG: Final[dict[Topic, re.Pattern[str]]] = {
    "verdict": _any(
        rf"\bwhy\b(?!.*\b(?:slow|long|took|{_HAPPENS})\b)",
        r"^y (?:did|does|is|was)\b|\bhow come\b|\bng\b|\b(?:on|for) what (?:grounds?|reasons?)\b",
        r"\bwhat makes (?:it|the|this|you)\b|\bwhat speaks\b",
        r"\b(?:explain|explanation|justif\w+|evidence|proof|prove|rationale|reasoning)\b",
        r"\b(?:decided?|judge\w*)\b|\b(?:closer|second|blind) looks?\b",
        r"\bmodel (?:said|say|says|think|thinks|thought)\b",
        r"\b(?:come|came|arrive\w*) (?:to|at) (?:it|that|the|this)\b",
        r"\b(?:based|rests?|relies) on\b|\bdoes \w+ rely on\b|\breasons? (?:behind|for|of|to)\b",
        r"为什么(?!会?(?:出现|产生|发生|形成|有)|.*慢)|为何(?!.*慢)|为啥(?!.*慢)|凭什么|凭啥|(?:根据|依据|基于)什么",
        r"理由|判定|判断|结论|怎么(?:得出|判)|解释|证据|近看|模型(?:怎么说|怎么看|的意见|认为)",
    ),
    "type": _any(
        r"\b(?:what|which) (?:kinds?|types?|sorts?|class|family) of\b|\b(?:called|name of)\b",
        rf"\b(?:what|which|any|other|more|how many|list|all|all the) (?:other )?{_DEFECT}\b(?= ?\?*$)",
        rf"\b(?:what|which|any other|how many|list|name of the) {_DEFECT}\b",
        r"\b(?:what(?:'s|s| is| was)|anything|something) (?:wrong|the matter) "
        r"(?:about|in|on|with) (?:it|my|our|that|the|this)\b",
        r"\bwhat (?:did|do|does|have|has) (?:you|we|it|the \w+) (?:find|found|see|seen|detect|detected)\b",
        r"\bwhat (?:was|were|is|has been) (?:found|detected|seen)\b|\bwhat am i (?:looking at|seeing)\b",
        r"\b(?:classif\w+|identif\w+|describe|description)\b",
        r"\b(?:tell me|more) about (?:it|the|defect|region)\b",
        r"什么(?:样的?)?(?:缺陷|问题|毛病|异常|不良|瑕疵|类型|种类)|哪(?:种|类|些)(?:缺陷|问题|异常)|类型|种类",
        r"(?:几|多少)(?:处|个)(?:缺陷|问题|异常|瑕疵)|(?:发现|检出|看到)了?(?:什么|几|哪些|多少)|描述",
        r"(?:缺陷|区域|处|这|它) ?\d* ?是什么(?=\W|$)",
    ),
    "where": _any(
        rf"\bwhere\b(?!.*\b(?:come|comes|came|from|document\w*|written|says?|said|states?|stated"
        rf"|cut-?off|limit|threshold"
        rf"|{_HAPPENS})\b)",
        r"\b(?:whereabouts|location|located|(?<!right )(?<!wrong )(?<!correct )position"
        r"|coordinates?|bbox|bounding box|highlight\w*)\b",
        r"\b(?:which|what) (?:area|corner|edge|end|place|quadrant|side|spot)\b|\bnear (?:an?|the)\b",
        r"\b(?:at|in|on) the (?:border|centre|center|edge|middle|rim)\b",
        r"\b(?:bottom|lower|top|upper|left|right) (?:left|right|half|side|edge|corner)\b",
        r"\b(?:left|right) or (?:left|right)\b",
        r"\b(?:circle|mark|point(?: me)?(?: to)?|show)(?: me)? (?:it|that|the (?:defects?|place|spot))\b",
        r"哪里|哪儿|在哪|位置|什么地方|坐标|何处|哪个?(?:角|边|侧|部位|方位)|[左右][上下]|指(?:给|出)|圈出|标出",
    ),
    "size": _any(
        r"\bhow (?:big|large|wide|broad|high|tall|deep|small|thick)\b|\bhow much of (?:it|the|this)\b",
        rf"\bhow long\b(?! (?:did|does|do|has|have|was|will|for|it took|until|{_INSPECTION} )\b)",
        r"\b(?:size[sd]?|dimensions?|length|width|height|diameter|extent|surface)\b",
        r"\b(?:area|mm2?|mm²|mms|millimet\w+|microns?|um|px|pixels?)\b",
        r"多大|多长(?!时间)|多宽|多高|多深|多粗|尺寸|大小|面积|长度|宽度|高度|直径|毫米|像素",
    ),
    "severity": _any(
        r"\b(?:critical\w*|sever\w+|serious\w*|harmless|cosmetic|major|minor|tolera\w+|dangerous|risk\w*)\b",
        r"\bhow bad\b|\b(?:does|doesn't|not) (?:it |that |this )?matter\b|\bmatters\b",
        r"\bbig (?:deal|problem)\b|\bship(?:ped|ping)?\b|\bdeliver\w*|\bcustomers?\b|\bcomplain\w*",
        r"\blive with\b",
        r"\b(?:acceptab\w+|accept|good enough|usable|within (?:the )?(?:limits|spec\w*)|sellable|scrap\w*)\b",
        r"\b(?:can|could|may|should|shall) (?:it|i|we|this|that|they|the \w+) (?:still )?(?:be )?"
        r"(?:deliver|let go|pass|release|sell|sold|send|sent|ship|stay|use)(?:d|ed|ped)?\b",
        r"严重|致命|要紧|轻微|(?:能|可以|能否|能不能|可否)(?:放行|放过|接受|使用|用|出货|让步)",
        r"影响大|可接受|允许|大问题|投诉|客户|(?:放行|放过|出货)吗",
    ),
    "cause": _any(
        r"\b(?:causes?|caused|causing|trigger\w*|origins?|originat\w+|culprit|responsible|to blame|due to"
        r"|leads? to|led to)\b",
        rf"\b(?:how (?:can|could|did|do|does)|where|why)\b.*\b{_HAPPENS}\b",
        r"\b(?:come|comes|came|coming|stems?) from\b|\bupstream\b|\b(?:possible|likely|probable) reasons?\b",
        r"\b(?:which|what) (?:machine|process\w*|station|production step|tool)\b",
        r"\b(?:made|produced|created) (?:it|this|that)\b|\b(?:did|do) (?:we|i|they) do wrong\b",
        r"原因|成因|起因|怎么(?:会|造成|产生|来的|形成|回事)|为(?:什么|何|啥)会?(?:出现|产生|发生|形成|有)|导致|引起",
        r"哪(?:道|个)(?:工序|工艺|环节)|哪台(?:机器|设备)",
    ),
    "action": _any(
        r"\bwhat (?:am i|are we|can|could|do|does one|has|have|must|needs?|shall|should|to|would you)\b"
        r".*\b(?:do|done|change|changed|adjust|try)\b(?! wrong)",
        r"\b(?:what|and) (?:now|next)\b|\bnow what\b|\bnext steps?\b|\bdo (?:first|next|now)\b",
        r"\b(?:advice|advise|actions?|recommend\w*|suggest\w*|remed(?:y|ies)|countermeasures?|measures)\b",
        r"\b(?:fix\w*|repair\w*|rework\w*|mend\w*|correct(?:ion|ions|ive)|to correct|prevent\w*|avoid\w*"
        r"|solve\w*)\b",
        r"\b(?:contain|containment|quarantine\w*|block(?:ed)?|hold|isolate|sort out|stop the line|get rid)\b",
        r"\b(?:coming|come|comes) back\b|\bhappen\w* again\b|\b(?:deal with|handle)\b",
        r"\b(?:which measure|what else|pull|recall)\b|\bstop (?:it|production|the \w+)\b",
        r"\binstructions? for\b|\bgive me instructions\b",
        r"\bhow (?:can|could|do|should|to|would)\b.*\b(?:check|confirm|double.check|find out"
        r"|make sure|verify)\b",
        r"\bwho (?:do|must|should) (?:i|we)\b|\b(?:call|inform|notify|tell) (?:someone|the)\b",
        r"(?:怎么|怎样|如何)(?:办|处理|修|解决|预防|避免|处置|做|防止|改善|纠正)",
        r"措施|对策|建议|接下来|下一步|返工|返修|(?:要|该|应该|需要)做(?:什么|些什么)?|隔离|停线|围堵|复测",
    ),
    "confidence": _any(
        r"\b(?:sure|certain|certainty|confiden\w+|trust\w*|reliab\w+|probab\w+|likelihood|doubts?"
        r"|doubtful)\b",
        r"\b(?:false|nuisance) (?:alarms?|calls?|positives?|rejects?|negatives?)\b|\boverkill\b",
        r"\bhow likely\b|\bmistak\w+|\bfor real\b|\bbe (?:just|only)\b|\bchances?\b|\baccura\w+",
        r"\b(?:believe|believable|convinc\w+|disagree|percent)\b|%",
        r"\b(?:can|could|should|to|i|we) rely\b|\byou(?:'re| are| were) (?:sure|wrong)\b|\breally\b",
        r"\b(?:you|it|this|that|result|verdict)\b.*\bbe wrong\b|\b(?:are|were) you (?:sure|wrong)\b",
        r"确定|把握|可信|可靠|置信|误报|误判|误检|过杀|错判|概率|准不准|准确|肯定|靠谱|可能是|信得过|相信|真的",
    ),
    "score": _any(
        r"\b(?:scores?|scored|thresholds?|limits?|sensitiv\w+|calibrat\w+|borderline|margin|zones?"
        r"|readings?)\b",
        r"\bhow (?:far|close|much) (?:above|away|below|from|off|out|over|to|under)\b|\bclose call\b",
        r"\bhow strong\b|\bstrength\b",
        r"\b(?:what|which) (?:expert|values?)\b|\b(?:measured|raw) (?:number|value)s?\b|\bcut-?offs?\b",
        r"\b(?:anomalyclip|anomalydino|dapo|experts?|patchcore|winclip)\b",
        r"阈值|得分|分数|评分|多少分|界限|限值|门限|灵敏度|超标|超出|校准|标定|检测器",
    ),
    "compared": _any(
        r"\b(?:compar\w+|templates?|golden|master|baseline|align\w*|same view)\b",
        r"\breferences?\b(?! (?:doc\w*|manual|standard))",
        rf"\bgood (?:{_PART}|picture|photo)s?\b|\bagainst (?:what|which)\b|\bwhat\b.*\bagainst\b",
        r"比较|对比|比对|模板|参考(?!资料|文献|文件)|参照|良品|标准(?:图|样|件)|基准|样板|金样",
    ),
    "knowledge": _any(
        r"\blook(?:ed|ing)? (?:\w+ )?up\b|\b(?:document\w*|sources?|knowledge|passages?|manuals?|handbook)\b",
        r"\b(?:cite[sd]?|citations?|quote[sd]?|literature|standards?|norms?|datasheet|guidelines?)\b",
        r"(?<!within )(?<!within the )\bspec(?:s|ification\w*)?\b|\b(?:which|what) rules?\b|\bwho says\b",
        r"\bwork(?:ing)? instructions?\b|\binstructions? says?\b|\bprocedures?\b",
        r"资料|文档|文件|查阅|查了|查过|知识|来源|出处|规范|规格|规程|手册|指导书|引用|标准(?!图|样|件)",
    ),
    "layout": _any(
        r"\b(?:components?|layout|missing|misplaced|placement|counte?d?|counting|upside down"
        r"|rotated|turned)\b",
        r"\b(?:all|every\w*)\b.*\b(?:there|present|in place)\b|\bcompleteness\b|\borientation\b|\bswapped\b",
        rf"\b(?:too many|too few|how many|number of) (?!{_DEFECT}\b)(?!good\b|image|picture"
        rf"|template)(?!{_UNITS}\b)\w+",
        r"\b(?:correct|right|wrong) (?:order|place|position|side|way)\b|\b(?:in|out of) place\b",
        r"\b(?:extra|too (?:few|many)|surplus)\b|\bare there (?:all|\d+)\b",
        r"元件|组件|部件|缺失|缺少|缺件|少了|漏装|漏件|数量|布局|错位|装反|贴反|方向|多余|多了|齐全|个数",
        r"几(?:粒|颗|片|只|根|枚)",
    ),
    "print": _any(
        r"\b(?:labels?|stickers?|text|imprint|print|prints|printed|printing|ocr|letters?|characters?"
        r"|lettering|logo)\b",
        r"\b(?:lot|serial|batch|part|article|model) (?:no\b|nos\b|numbers?|codes?)",
        r"\b(?:best before|use by)\b",
        r"\b(?:barcode|qr code|markings?|engrav\w+|silkscreen|legible|readable|stamp\w*|inscription)\b",
        r"\b(?:dates?|expiry|expiration)\b|\b(?:read|written) on\b",
        r"印|文字|字符|的字|字样|标签|喷码|批号|序列号|编号|日期|有效期|条码|二维码|刻字",
    ),
    "faults": _any(
        r"\berrors?\b|\b(?:crash\w*|warnings?|exceptions?|interrupted|aborted|offline|unreachable)\b",
        r"\btime[- ]?outs?\b|\btim(?:e|ed|ing) out\b|\bdisconnect\w*|\b(?:skipped|left out|incomplete)\b",
        r"\b(?:anything|any step|endpoint|everything|model|server|something|steps?|tool)\b.*\bfail\w*",
        r"\bsteps? (?:complete|finish|succeed)\w*|\bfail(?:ed|ures?)? (?:during|on the way)\b",
        r"\bwhat failed\b",
        r"\b(?:go|goes|gone|went) wrong\b(?! (?:with|on) (?:it|the part|this|that))",
        r"\b(?:problems?|issues?|trouble)\b.*\b(?:during|on the way|running|while)\b",
        r"\b(?:everything|all|inspection|it)\b.*\b(?:run|ran|work|worked|go|went) "
        r"(?:fine|ok|okay|properly|smoothly|through|well)\b",
        r"故障|出错|报错|错误|失败|崩溃|超时|警告|中断|掉线|断线|断开|报警|告警|跳过|卡住",
    ),
    "time": _any(
        rf"\bhow (?:long|much longer)\b (?:did|does|do|has|have|was|will|for|until|{_INSPECTION})\b",
        r"\b(?:seconds|minutes|ms|milliseconds|duration|slow\w*|fast\w*|quick\w*|speed|took|takes|latency)\b",
        r"\b(?:how much|cycle|process\w*|run|total|what) ?time\b|\btime (?:for|per)\b|\btime ?\?|^time$",
        r"\bwhy\b.*\bso long\b|\bmuch longer\b",
        r"\bwhen\b.*\b(?:done|finish\w*|ready)\b|\bruntime\b",
        r"多(?:长|少)?时间|多久|几秒|多少秒|几分钟|用时|耗时|时长|慢|快|节拍",
    ),
}
"""What always asks for a topic."""

WEAK: Final[tuple[tuple[Topic, re.Pattern[str]], ...]] = (
    ("cause", _any(r"\breasons?\b")),
    ("action", _any(r"\bwhat (?:should|must|can) (?:i|we)\b")),
    (
        "verdict",
        _any(
            r"\b(?:verdict|decision|conclusion|judgement)\b",
            r"\b(?:ok|okay|pass|passed|passes|fail|failed|fails|good(?! (?:afternoon|bye|day"
            r"|evening|job|morning|night))|bad|normal|anomalous|reject\w*"
            r"|result)\b",
            r"\bdefective\b|合格|不良|良品|正常|异常|结果|通过|不行|坏",
        ),
    ),
    (
        "type",
        _any(
            r"\bwhat(?:'s|s| is| was| are| were) (?:it|that|this|these|those|they|wrong"
            r"|the (?:area|defect|line|mark|problem|spot|thing)"
            r"|defect|region)\b",
            r"\bis (?:it|that|this|there|the \w+) (?:an?|any|just|only)\b|^is (?:it|that|this) \w+\W*$",
            rf"\b{_DEFECT}\b|是什么|还是|缺陷|问题|瑕疵",
        ),
    ),
)
"""What asks for a topic where nothing else is asked; the first that fits."""
