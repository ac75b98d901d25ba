"""Messages that need no team: greetings, thanks, who are you, noise, what did I say."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re

from app.supervisor.offline.types import Language

LONGEST = 160  # characters; longer messages are not small talk
_DECORATION = re.compile(r"[^\w가-힣ㄱ-ㅎㅏ-ㅣ' ]+")
_NAME = r"(?: (?:there|all|everyone|colloquy|콜로퀴|bot|friend|assistant|again))*"

_GREETING = re.compile(
    rf"^(?:(?:hi+|hello+|hey+|hiya|howdy|yo|greetings|good (?:morning|afternoon|evening|day)|sup"
    rf"|what'?s up|안녕(?:하세요|하십니까|하세여|하신가요|히 계셨어요)?|하이(?:요)?|헬로"
    rf"|반가워(?:요)?|반갑습니다|좋은 (?:아침|오후|저녁|하루)(?:이에요|입니다)?|ㅎㅇ|여보세요"
    rf"|처음 뵙겠습니다){_NAME}(?:nice to meet you|만나서)? ?)+$",
    re.IGNORECASE,
)
_THANKS = re.compile(
    rf"^(?:(?:(?:ok|okay|great|perfect|nice|cool|awesome|no|yes|네|아"
    rf"|오) ?)?(?:thanks?(?: you)?(?: (?:so|very) much| a lot| a ton)?|thx|ty|cheers"
    rf"|much appreciated|appreciate it|고마워(?:요)?|고맙습니다|감사(?:합니다|해요|드려요"
    rf"|드립니다)?|땡큐|ㄱㅅ|ㄳ|정말|너무|진짜|도와줘서){_NAME}(?: for (?:the|your"
    rf"|that)? ?(?:help|answer|that|everything))? ?)+$",
    re.IGNORECASE,
)
_BYE = re.compile(
    r"^(?:(?:ok )?(?:bye+|goodbye|see (?:you|ya)(?: later| soon)?|later|good ?night|take care"
    r"|farewell|잘 ?가(?:요)?|안녕히 ?(?:계세요|가세요)|다음에 (?:봐요?|또)|또 봐(?:요)?"
    r"|수고(?:하세요|했어(?:요)?)?|잘 ?자(?:요)?|바이(?:바이)?) ?)+$",
    re.IGNORECASE,
)
_HOW_ARE_YOU = re.compile(
    rf"^(?:(?:hi|hello|hey|안녕) )?(?:how are (?:you|u|things)(?: doing| today| feeling)*"
    rf"|how's it going|how do you do|you ok(?:ay)?|잘 ?지내(?:니|요|세요|지|셨어요)?|기분(?:은"
    rf"|이)? ?어때(?:요)?|어떻게 지내(?:요|니|세요)?|오늘 어때(?:요)?|뭐 ?해(?:요)?|뭐 하(?:니"
    rf"|세요|고 있어)){_NAME}$",
    re.IGNORECASE,
)
_ACK = re.compile(
    r"^(?:(?:ok|okay|k|fine|good|great|cool|nice|perfect|awesome|wow|lol|haha++|hehe++|hmm++|yes"
    r"|yep|yeah|no|nope|sure|right|got it|i see|understood|alright|well done|good job|amazing"
    r"|sorry|oops|never ?mind|test(?:ing)?|네++|넵|응++|예|아니(?:요|야)?|오케이|좋아(?:요)?"
    r"|알겠(?:어(?:요)?|습니다)|알았어(?:요)?|그래(?:요)?|잘했어(?:요)?|굿|대박|와++|우와|오++"
    r"|ㅇㅇ|ㅇㅋ|ㅋ++|ㅎ++|ㅠ++|ㅜ++|미안(?:해(?:요)?)?|죄송(?:해요|합니다)?|최고|멋지다|멋져(?:요)?"
    r"|테스트|하하|헐) ?)+$",
    re.IGNORECASE,
)

_VERY = r"(?:(?:so|very|really|truly|simply|just|the|a|an|정말|진짜|너무|아주|참|완전) )*"
_PRAISED = (
    r"(?:great|good|awesome|amazing|brilliant|excellent|fantastic|wonderful|perfect|helpful|useful"
    r"|smart|clever|cool|nice|impressive|lovely|kind|cute|best|genius|lifesaver|star)"
)
_PRAISE_SAID = (
    rf"(?:(?:you(?:'re| are)|u r|ur|that(?:'s| is| was)|this is|it(?:'s| is| was)) {_VERY}"
    rf"{_PRAISED}(?: (?:help|answer|job|work|bot|assistant|one))?"
    rf"|{_PRAISED} (?:job|work|bot|answer|stuff|assistant|one)|well (?:done|played)"
    rf"|(?:i )?(?:really )?(?:love|like) (?:you|u|it|this|that)|you rock|bravo|kudos"
    rf"|(?:(?:너|넌|너는|당신은?|이거) )?{_VERY}(?:최고(?:야|예요|에요|다|네(?:요)?|입니다)?"
    rf"|대단(?:해(?:요)?|하다|하네(?:요)?|합니다)|훌륭(?:해(?:요)?|하다|하네(?:요)?|합니다)"
    rf"|똑똑(?:해(?:요)?|하다|하네(?:요)?)|멋(?:져(?:요)?|지다|있어(?:요)?|있다)|짱(?:이야|이다)?"
    rf"|잘하네(?:요)?|잘했어(?:요)?|완벽(?:해(?:요)?|하다)|유용(?:해(?:요)?|하네(?:요)?)"
    rf"|도움이? ?(?:됐어(?:요)?|되었어(?:요)?|많이 됐어(?:요)?)|사랑해(?:요)?)){_NAME}"
)
_PRAISE_BESIDE = (
    r"(?:ok|okay|wow|oh|haha|and|와|우와|thanks?(?: you)?(?: (?:so|very) much| a lot)?|thx"
    r"|고마워(?:요)?|고맙습니다|감사(?:합니다|해요)?)"
)
# a blank or the end closes every piece: one way only to read a text, so linear
_PRAISE = re.compile(
    rf"^(?:{_PRAISE_BESIDE} )*{_PRAISE_SAID}(?: (?:{_PRAISE_SAID}|{_PRAISE_BESIDE}))*$",
    re.IGNORECASE,
)

_ABOUT = re.compile(
    r"\b(?:who|what) (?:the hell )?are you\b|\bwho (?:made|built|created|wrote|trained) you\b"
    r"|\bwhat(?:'s| is) your (?:name|purpose|job|model)\b|\bdo you have a name\b"
    r"|\bare you (?:an? |the )?(?:real |actual )?(?:ai|a\.i\.?|bot|robot|chat ?bot|human|person"
    r"|chat ?gpt|gpt(?:-?\d)?|claude|gemini|llm|model|machine|assistant|computer|program"
    r"|language model|artificial intelligence|sentient|alive|real|conscious|colloquy)\b"
    r"|\bwhat (?:all )?(?:can|do) you (?:do|know|help)(?: (?:for me|me with|with|here))?\W*$"
    r"|\bwhat are you (?:able|capable)|\bwhat are your (?:abilities|capabilities|features|skills"
    r"|limits|limitations)\b|\bhow can you help\b|\b(?:can|could|will) (?:u"
    r"|you) help(?: me)?(?: out| please| with something)?\W*$|\bhow (?:do|can) i use you\b"
    r"|^\W*(?:help|help me|menu|commands|/help|\?+|usage|what now)\W*$|\bwhat(?:'s| is) (?:this"
    r"|the) (?:model|llm) (?:are|behind)|\b(?:which|what) (?:model|llm|ai)(?: model)? (?:are you"
    r"|do you use|is this|powers you|am i talking)|\bdo you (?:use|have|run) (?:a |an "
    r"|any )?(?:model|llm|ai|gpt|chatgpt|openai)\b|\bam i (?:talking|speaking|chatting) (?:to"
    r"|with) (?:an? )?(?:ai|bot|human|person|robot|machine|model|real person)"
    r"|\bintroduce yourself\b|\btell me about yourself\b|\bhow old are you\b"
    r"|\bwhere are you from\b|\bdo you (?:have feelings|sleep|dream|love)\b|\bhow do you work\b"
    r"|\bare you (?:smart|intelligent|free|online|there)\b",
    re.IGNORECASE,
)
_HEDGE = r"^\W*(?:(?:그럼|그런데|근데|혹시|저기|아|음|진짜|정말|지금|실제로|여기서|여기는|이건)\s)*"
_ABOUT_KOREAN = re.compile(
    r"(?<![가-힣])(?:너|넌|네|당신|니가|자네)(?:는|은|의|가)?\s?(?:진짜|정말|혹시)?\s?(?:누구"
    r"|뭐(?:야|하는|니|예요)|무엇|이름|정체|인공지능|ai|챗봇|사람|봇|로봇|모델|gpt"
    r"|챗\s?gpt|챗지피티|할 수 있|뭘 할|뭐 할|어떤 (?:모델|일|ai)|몇 살|기계|어디(?:서)? (?:왔|살))"
    rf"|{_HEDGE}누구(?:세요|니|야|신가요|십니까)\W*$|{_HEDGE}이름이?\s?(?:뭐|무엇)(?:야|예요|니"
    rf"|에요|인가요)?\W*$"
    rf"|{_HEDGE}(?:뭘|무엇을|뭐를|뭐|어떤 (?:걸|것을|일을|기능을|도움을|질문을)|무슨 (?:일을|일"
    rf"|걸)|할 수 있는 (?:게|것|일)|무슨 기능)\s?(?:할 수|도와줄|도와 줄|해줄|해 줄|줄 수|뭐|있)"
    r"|^\W*(?:도움말|도와줘|도움|헬프|사용법|기능)\W*$|자기\s?소개\s?(?:해|부탁|좀)"
    r"|챗지피티(?:야|니|예요|인가)"
    rf"|{_HEDGE}(?:사람|인공지능|ai|봇|로봇|챗봇|gpt|기계)(?:이야|야|이니|니|인가요|이에요|예요"
    rf"|입니까|이세요|맞아|인가)\W*$"
    r"|(?:무슨|어떤|어느) (?:언어\s?)?모델(?:을|이)?\s?(?:써|쓰|사용|야|이야|이니|니|인가|기반)",
    re.IGNORECASE,
)
_ABOUT_OTHERS = re.compile(
    r"\bcolloquy\b(?!.{0,5}$)|콜로퀴|session|세션|\bagent|\bgraph", re.IGNORECASE
)

_LETTER = re.compile(
    r"[A-Za-z가-힣ㄱ-ㅎㅏ-ㅣ0-9\u3040-\u30ff\u4e00-\u9fff\u0400-\u04ff\u00c0-\u024f]"
)
_JAMO_ONLY = re.compile(r"^[ㄱ-ㅎㅏ-ㅣ\s~!?.,;^]+$")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "poiuytrewq", "lkjhgfdsa", "mnbvcxz", "1234567890")
_VOWELS = re.compile(r"[aeiouy]")
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{5,}")
_REPEATED = re.compile(r"^(.{1,3})\1{3,}.{0,2}$")
_SHORTEST_MASH = 4
_MOST_MASH_WORDS = 6

_STATEMENT = re.compile(
    r"^(?:i(?:'m| am|'ve| have| like| love| hate| prefer| live| work| want you to know"
    r"| think)?\b|my \w+|we(?:'re| are| have)?\b|remember (?:that|this)|please remember"
    r"|note that|call me|(?:나는|난|저는|전|내|제|우리는?|저희는?)\s|.{1,60}(?:기억해\s?(?:줘"
    r"|주세요|둬)|잊지\s?마))",
    re.IGNORECASE,
)
_DECLARED = re.compile(
    r"^(?:the|our|there|it|this|that|he|she|they|someone|people|today|yesterday|tomorrow)\b.*"
    r"\b(?:is|are|was|were|has|have|had|will|went|said|came|starts?|works?|likes?|lives?)\b",
    re.IGNORECASE,
)
_KOREAN_DECLARED = re.compile(
    r"(?:[았었했였갔왔샀됐]어|[았었했였갔왔샀됐]어요|있어|있어요|없어|없어요|해요|이야|이에요"
    r"|예요|입니다|합니다"
    r"|습니다|했다|한다|이다|있다|없다)[.!~ ]*$"
)
_KOREAN_ASKING = re.compile(
    r"[?？]|(?:줘|주세요|까|까요|나요|니|는지|인가|인가요|을래|ㄹ래|해봐|하라|하시오|알려|설명"
    r"|뭐야|뭐지|어때|얼마|언제|어디|누구|왜|어떻게|몇|무엇|무슨|어느)\W*$"
)
_ENGLISH_ASKING = re.compile(
    r"[?？]|\b(?:what|how|why|when|where|who|whom|which|whose|can you|could you|would you"
    r"|will you|tell|explain|show|give|list|find|help|need to know|want to know|wonder)\b",
    re.IGNORECASE,
)
_ABILITIES = {
    "en": (
        "I can look things up in the documents I was given and quote them, summarise or take facts "
        "from text you paste, and calculate exactly: arithmetic, percentages, units, dates, "
        "small tables."
    ),
    "ko": (
        "문서에서 찾아 그대로 인용하기, 붙여 넣은 글 요약과 사실 추출, 그리고 "
        "사칙연산·퍼센트·단위·날짜·작은 표 같은 "
        "정확한 계산을 할 수 있어요."
    ),
}


_SPOKEN = {
    "en": (
        "I follow questions in English and Korean, by rules, and answer in the language of the "
        "question."
    ),
    "ko": "한국어와 영어 질문을 규칙으로 알아듣고, 물어본 언어로 답해요.",
}


def abilities(language: Language) -> str:
    """Return the sentence that says what the assistant can do."""
    return _ABILITIES[language]


def small_talk(text: str, language: Language) -> str | None:  # noqa: PLR0911 - one return for each form
    """Return a short friendly reply to a greeting, thanks, goodbye or assent, else None."""
    if len(text) > LONGEST:
        return None
    bare = " ".join(_DECORATION.sub(" ", text).split())
    korean = language == "ko"
    if _GREETING.match(bare):
        return (
            f"안녕하세요! {_ABILITIES['ko']} 무엇을 도와드릴까요?"
            if korean
            else f"Hello! {_ABILITIES['en']} What would you like to know?"
        )
    if _THANKS.match(bare):
        return (
            "천만에요! 더 궁금한 것이 있으면 말씀하세요."
            if korean
            else "You're welcome! Ask me anything else you need looked up or worked out."
        )
    if _PRAISE.match(bare):
        return (
            "좋게 봐 주셔서 고마워요! 찾아보거나 계산할 것이 있으면 말씀하세요."
            if korean
            else "Thank you, that is kind! Tell me when there is something to look up or work out."
        )
    if _BYE.match(bare):
        return (
            "안녕히 가세요! 대화는 그대로 남아 있어요."
            if korean
            else "Goodbye! This conversation will still be here."
        )
    if _HOW_ARE_YOU.match(bare):
        return (
            f"잘 돌아가고 있어요. 저는 모델이 아닌 오프라인 도우미예요. {_ABILITIES['ko']}"
            if korean
            else (
                f"Running fine, thank you. I am the offline assistant, not a model. "
                f"{_ABILITIES['en']}"
            )
        )
    if _ACK.match(bare):
        return (
            "네! 찾아보거나 계산할 것이 있으면 말씀하세요."
            if korean
            else "All right! Tell me when there is something to look up or work out."
        )
    return None


_LANGUAGES_ASKED = re.compile(
    r"\b(?:do|can) you (?:speak|understand|read|know|write|use) (?:\w+ )?(?:korean|english"
    r"|french|german|japanese|chinese|spanish|other languages)\b|what languages? (?:do|can) you"
    r"|(?:한국어|한국말|영어|일본어|중국어|한글)(?:도|를|을)?\s?(?:할 수|알아|이해|하니|할 줄"
    r"|하세요|되나요|돼)",
    re.IGNORECASE,
)


def about(text: str, language: Language) -> str | None:
    """Return an honest answer to "who are you", "are you an AI", "what can you do", else None."""
    forms = (_ABOUT, _ABOUT_KOREAN, _LANGUAGES_ASKED)
    if len(text) > LONGEST or not any(form.search(text) for form in forms):
        return None
    if _ABOUT_OTHERS.search(text) and not re.search(r"\byou\b|너|넌|당신", text, re.IGNORECASE):
        return None
    if _LANGUAGES_ASKED.search(text):
        return _SPOKEN[language]
    if language == "ko":
        return (
            "저는 Colloquy에 들어 있는 오프라인 도우미예요. 지금은 언어 모델이 연결되어 있지 "
            "않아서 정해진 규칙으로 일하고, "
            f"사람도 AI 모델도 아니에요. {_ABILITIES['ko']}\n\n"
            "모델이 필요한 일(글짓기, 번역, 자유로운 대화)과 실시간 정보(날씨, 뉴스)는 할 수 "
            "없어요."
        )
    return (
        "I am Colloquy's offline assistant. No language model is connected, so I work by fixed "
        "rules; "
        f"I am neither a person nor an AI model. {_ABILITIES['en']}\n\n"
        "What needs a model (writing, translating, free conversation) or live data (weather, "
        "news) I cannot do."
    )


def noise(text: str) -> bool:
    """Tell whether a message says nothing: only signs or emoji, or keys hit at random."""
    stripped = text.strip()
    if not _LETTER.search(stripped):
        return True
    if _JAMO_ONLY.match(stripped):
        return not re.match(r"^[ㅋㅎㅠㅜㅇㄴㄱㅅㄳ\s~!?.]+$", stripped)
    words = re.findall(r"[A-Za-z0-9]+|[ㄱ-ㅎㅏ-ㅣ]{2,}|[가-힣]+", stripped)
    if not words or len(words) > _MOST_MASH_WORDS or re.search(r"[가-힣]{2,}", stripped):
        return bool(re.fullmatch(r"([가-힣])\1{3,}", stripped))
    if re.fullmatch(r"[\d\s.,]+", stripped):
        return True
    letters = [word for word in words if re.search(r"[A-Za-zㄱ-ㅣ]", word)]
    mashed = [_is_mashed(word) for word in letters]
    # "qwe" or "zzz" alone may be a name; beside keys hit at random it is more of the same
    return any(mashed) and all(
        found or _is_short_run(word) for found, word in zip(mashed, letters, strict=True)
    )


def _is_short_run(word: str) -> bool:
    short = len(word) == 3 and word.islower()
    return short and (len(set(word)) == 1 or any(word in row for row in _ROWS))


def _is_mashed(word: str) -> bool:  # noqa: PLR0911 - one return for each form
    lowered = word.lower()
    if re.match(r"[ㄱ-ㅣ]", word):
        return True
    if len(lowered) < _SHORTEST_MASH or lowered in {"http", "https", "html", "psql", "mqtt"}:
        return False
    if _REPEATED.match(lowered):
        return True
    if any(row[i : i + 4] in lowered for row in _ROWS[:6] for i in range(len(row) - 3)):
        known = {"property", "properties", "qwerty"}
        return lowered not in known - {"qwerty"} and not re.search(
            r"prop|pert|oper|repo|were|tree|pour", lowered
        )
    if word.isupper() and len(word) <= 6:
        return False
    vowels = len(_VOWELS.findall(lowered))
    if len(lowered) >= 6 and vowels / len(lowered) < 0.15:
        return True
    return bool(_CONSONANTS.search(lowered)) and len(lowered) > 6 and vowels / len(lowered) < 0.25


def noise_reply(language: Language) -> str:
    """Return the polite line for noise."""
    if language == "ko":
        return "무슨 말씀인지 알아보지 못했어요. 찾아볼 것이나 계산할 것을 문장으로 적어 주세요."
    return (
        "I could not make that out. Ask me to look something up, work something out or read a text."
    )


def statement(text: str, language: Language) -> str | None:
    """Return a short acknowledgement of something a person tells rather than asks, else None."""
    stripped = text.strip()
    told = any(form.search(stripped) for form in (_STATEMENT, _DECLARED, _KOREAN_DECLARED))
    if len(stripped) > 2 * LONGEST or not told:
        return None
    if _ENGLISH_ASKING.search(stripped) or (
        language == "ko" and _KOREAN_ASKING.search(stripped) and "기억해" not in stripped
    ):
        return None
    if language == "ko":
        return (
            f"말씀 고마워요. 이 대화에 남아 있을 거예요. 모델이 없어서 자유롭게 이야기를 "
            f"나누지는 못하지만, {_ABILITIES['ko']}"
        )
    return (
        f"Thank you for telling me; it stays in this conversation. Without a model I cannot chat "
        f"freely about it. {_ABILITIES['en']}"
    )
