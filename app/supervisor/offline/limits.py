"""What the assistant cannot do offline, said plainly: writing, translating, live data, opinions."""

import re

from app.supervisor.offline.types import Language

_CREATIVE_THINGS = (
    r"(?:poems?|haikus?|limericks?|stor(?:y|ies)|tales?|songs?|lyrics|rap|essays?|novels?|jokes?"
    r"|riddles?|puns?|speech(?:es)?|slogans?|taglines?|cover letters?|letters?"
    r"|e-?mails?(?! address)|blog posts?|articles?|tweets?|posts?|captions?|scripts?"
    r"|screenplays?|dialogues?|plays?|bio|biography|resume for|cv|ads?|advert\w*"
    r"|product descriptions?|press releases?|toasts?|vows|fairy ?tales?|fan ?fiction|paragraphs?"
    r"|reviews?)"
)
_CODE_THINGS = (
    r"(?:code|program|function|class|script|app|website|web page|web ?site|sql(?: query)?"
    r"|quer(?:y|ies)|regex|regular expression|algorithm|unit tests?|bash|python|javascript|java"
    r"|html|css|component|api|macro|formula for excel)"
)
_LANGUAGES = (
    r"(?:english|korean|french|spanish|german|japanese|chinese|italian|portuguese|russian|arabic"
    r"|hindi|latin|vietnamese|thai|dutch|turkish|swedish|greek|polish)"
)

# kind, pattern, whether a mention of the documents' subjects leaves it a question for search
_KINDS: tuple[tuple[str, re.Pattern[str], bool], ...] = tuple(
    (kind, re.compile(words, re.IGNORECASE), softened)
    for kind, softened, words in (
        (
            "writing",
            False,
            rf"\b(?:write|compose|make up|come up with|create|draft|tell|sing|generate|invent"
            rf"|give)\b(?: (?:me|us))?(?: (?:an?|the|some|another|one|two|three"
            rf"|\d+))?(?: [\w-]+){{0,4}}? {_CREATIVE_THINGS}\b|\bmake me laugh\b|\brap about\b"
            rf"|(?:시|소설|이야기|동화|노래|가사|농담|수수께끼|편지|자기소개서|자소서|이메일"
            rf"|메일|에세이|블로그|글|대본|연설문|슬로건|광고 문구|축사|일기|삼행시|랩|하이쿠"
            rf"|독후감|기사|소감문|카피)(?:를|을|도|나|이나|하나|한 편|한편|좀)?\s?(?:를|을|하나"
            rf"|한 편|한편|좀)?\s?(?:써|적어|지어|만들어|작성|들려|해\s?줘|불러|창작)|웃겨\s?줘"
            rf"|재미있는 (?:얘기|이야기)",
        ),
        (
            "image",
            False,
            r"\b(?:draw|paint|sketch|illustrate|render|design|generate|create|make"
            r"|show)\b(?: me)?(?: an?| the| some)?(?: [\w-]+){0,4}? (?:image|picture|photo"
            r"|drawing|logo|illustration|icon|painting|sketch|video|animation|music|song|melody"
            r"|meme|wallpaper|diagram|chart|avatar|poster|banner|portrait)s?\b|\b(?:draw|paint"
            r"|sketch) (?:me )?(?:an? |the |some )?\w+|(?:그림|이미지|사진|로고|아이콘|영상"
            r"|동영상|음악|포스터|캐릭터|차트|그래프)(?:를|을|도|하나|좀)?\s?(?:하나\s?)?(?:그려"
            r"|만들어|생성|디자인|작곡|보여)|그려\s?(?:줘|주세요|줄래|봐)",
        ),
        (
            "translation",
            False,
            rf"\btranslat(?:e|ion|ing)\b(?!.{{0,40}}\b(?:binary|hex|decimal|roman)\b)"
            rf"|\bhow (?:do|would|can) (?:you|i|we) say\b|\bwhat(?:'s"
            rf"| is) .{{1,60}} in {_LANGUAGES}\b|\b(?:in|to|into) {_LANGUAGES}\W*$|번역|(?:영어"
            rf"|한국어|일본어|중국어|프랑스어|불어|스페인어|독일어|우리말)로\s?(?:뭐|무엇|어떻게"
            rf"|번역|옮겨|바꿔|말해|써|해\s?줘|알려)|통역|(?:영어|일본어|중국어|프랑스어|불어"
            rf"|스페인어|독일어)로\s?.{{1,30}}(?:뭐|무엇|어떻게|뭔)",
        ),
        (
            "rewriting",
            False,
            r"\b(?:rewrite|rephrase|paraphrase|proofread|polish|edit|improve|correct"
            r"|fix)\b(?: \w+){0,4}? (?:text|sentence|paragraph|grammar|essay|email|e-mail"
            r"|writing|spelling|wording|tone|letter|article|english|this|it)\b|\bmake (?:this|it"
            r"|that) (?:sound|more|less)\b|\bcheck (?:my|the|this) (?:grammar|spelling|english)"
            r"|맞춤법|교정|다듬어|고쳐\s?(?:줘|주세요|써)|바꿔\s?써|(?:존댓말|반말|공손하게"
            r"|자연스럽게)(?:로)?\s?(?:바꿔|고쳐|써)|윤문|첨삭",
        ),
        (
            "code",
            True,
            rf"\b(?:write|create|generate|make|build|code|implement|develop|debug|fix|refactor"
            rf"|optimi[sz]e|review)\b(?: (?:me|us))?(?: (?:an?|the|some|this"
            rf"|my))?(?: [\w-]+){{0,4}}? {_CODE_THINGS}\b|코드(?:를|을)?\s?(?:짜|작성|만들|써"
            rf"|고쳐|리뷰|디버그)|(?:파이썬|자바스크립트|자바|c언어|sql|쿼리|정규식|프로그램"
            rf"|함수|스크립트|앱|웹사이트|홈페이지)(?:을|를|로|으로)?\s?(?:좀\s?)?(?:짜|작성"
            rf"|만들어|개발|코딩|구현)",
        ),
        (
            "rates",
            True,
            r"\bexchange rates?\b|\b(?:usd|eur|gbp|jpy|krw|cny|dollars?|euros?|pounds sterling"
            r"|yen|won|yuan)\b.{0,12}\b(?:to|in|into)\b.{0,8}\b(?:usd|eur|gbp|jpy|krw|cny"
            r"|dollars?|euros?|pounds|yen|won|yuan|rupees?)\b|[$€£¥₩]\s?\d[\d,.]*\s?(?:to|in"
            r"|into) (?:usd|eur|gbp|jpy|krw|dollars?|euros?|pounds|yen|won)\b|환율|(?:달러|유로"
            r"|엔|위안|원)(?:은|는|을|를|이|가|짜리)?\s?(?:한국\s?돈|원화|원|달러|엔"
            r"|유로)(?:으로|로)|(?:달러|유로|엔|위안)(?:은|는|면|이면)?\s?(?:한국\s?돈으로\s?"
            r"|원으로\s?)?(?:몇|얼마)\s?원|한국\s?돈으로",
        ),
        (
            "live",
            True,
            r"\b(?:weather|forecast)\b|\bwill it (?:rain|snow)\b|\bis it (?:raining|snowing"
            r"|sunny|cold|hot)\b|\b(?:temperature|humidity) (?:in|outside|today|now|right now)\b"
            r"|\b(?:latest|today'?s|current|breaking|recent) (?:news|headlines|price|prices"
            r"|score|scores|events)\b|\bnews\b(?! ?letter)|\bheadlines\b|\b(?:stock|share|crypto"
            r"|bitcoin|btc|ethereum|gold|oil|gas|house) (?:price|prices|market|value|quote)s?\b"
            r"|\bprice of (?:bitcoin|btc|gold|oil|apple|tesla|\w+ stock)\b|\b(?:nasdaq|s&p"
            r"|dow jones|kospi)\b|\bwho (?:won|is winning) (?:the |last |this |today"
            r"|yesterday)?(?:\w+ )?(?:game|match|election|race|night|weekend)\b|\b(?:traffic"
            r"|air quality) (?:in|on|now|today)\b|\b(?:movies?|films?) (?:playing|showing)"
            r"|\blive scores?\b|\bbox office\b|\btrending\b|날씨|기온|미세먼지|일기\s?예보"
            r"|비\s?(?:와|오나|올까|오니|올지)|눈\s?(?:와|오나|올까)|뉴스|헤드라인|속보|주가"
            r"|주식|코스피|코스닥|나스닥|비트코인|이더리움|코인\s?(?:가격|시세)|시세|금값|유가"
            r"|경기\s?결과|스코어|누가\s?이겼|실시간|교통\s?상황|로또|박스오피스|최신\s?(?:소식"
            r"|뉴스)|요즘\s?(?:유행|핫)",
        ),
        (
            "action",
            True,
            r"\b(?:send|forward)\b (?:an? |the |my |this )?(?:\w+ )?(?:e-?mail|message|text|sms"
            r"|letter)\b|(?:^|please |can you |could you |help me |want to |like to )(?:book"
            r"|reserve|order|buy|purchase) (?:me )?(?:an? |the |some "
            r"|my )?\w+|\bset (?:an? |the |my )?(?:\w+ )?(?:alarm|timer|reminder)\b"
            r"|\bremind me\b|\bcall (?:my|a|the) \w+|\b(?:turn|switch) (?:on|off) the\b"
            r"|\bplay (?:some |a |the )?(?:music|song|video|game)s?\b|\b(?:search|browse"
            r"|google) (?:the )?(?:web|internet|online|google|for)\b|\bgoogle (?:it|that|this)\b"
            r"|\bopen (?:the )?(?:browser|website|app|file)\b|\bdownload (?:the|a|this) (?:file"
            r"|app|movie)\b|\bpost (?:this |it )?(?:on|to) (?:twitter|facebook|instagram|x)\b"
            r"|예약(?:해|을|좀)|주문(?:해|을|좀)|알람|타이머(?:를)?\s?(?:맞|설정|켜)"
            r"|전화\s?(?:걸|해)|(?:메일|문자|메시지)(?:를|을)?\s?보내|불\s?(?:켜|꺼)"
            r"|음악\s?(?:틀어|재생)|(?:인터넷|구글|네이버|웹)(?:에서|으로|에)?\s?(?:검색|찾아)"
            r"|결제해|송금",
        ),
        (
            "chance",
            False,
            r"\b(?:flip|toss) (?:a |the )?coin\b|\broll (?:a |the |some |two |\d+)?\s?(?:die"
            r"|dice|d\d+)\b|\brandom (?:number|word|name|joke|fact|password)\b"
            r"|\bpick a (?:random )?(?:number|card|name)\b|\bgenerate (?:a )?(?:random|strong"
            r"|secure)? ?password\b|\bguess\b.{0,20}\b(?:number|age|name)\b"
            r"|\b(?:my )?(?:horoscope|fortune|lucky number|tarot)\b|동전\s?던|주사위|랜덤|무작위"
            r"|난수|운세|사주|타로|행운의\s?숫자|비밀번호(?:를|좀|를 하나)?\s?(?:만들|생성|추천)"
            r"|가위\s?바위\s?보",
        ),
        (
            "feeling",
            True,
            r"\bi(?:'m| am| feel|'ve been| have been) (?:so |very |really |feeling "
            r"|a bit )?(?:sad|lonely|depressed|tired|bored|anxious|stressed|angry|scared|down"
            r"|upset|heartbroken)\b|(?:우울|외로|슬프|슬퍼|심심|힘들|피곤|속상|불안|무서)(?:해"
            r"|워|다|어|하다|네|요)",
        ),
        (
            "opinion",
            True,
            r"\bwhat do you think\b|\byour opinion\b|\bdo you (?:like|love|prefer|believe|agree"
            r"|think)\b|\bshould i\b|\b(?:recommend|suggest)\b(?: me)?(?: an?| some| any| the"
            r"| \d+)?(?: [\w-]+){0,3}? (?:movies?|films?|books?|restaurants?|songs?|music|games?"
            r"|recipes?|places?|gifts?|names?|shows?|ideas?|hotels?|laptops?|phones?|dishes"
            r"|dinner|lunch)\b|\bgive me (?:some )?(?:advice|ideas|tips|suggestions)\b"
            r"|\bbrainstorm\b|\bwhat should i (?:eat|wear|do|watch|read|cook|buy|say|name)\b"
            r"|\bwho (?:is|was) the best\b|\b(?:what|which)(?:'s| is| are) the best (?:movies?"
            r"|films?|books?|songs?|restaurants?|foods?|pizza|phones?|laptops?|cars?|countr\w+"
            r"|player|team|band)\b|\bmeaning of life\b|\bplan (?:a|my|our) (?:trip|vacation"
            r"|party|day|wedding|holiday|meal)|어떻게\s?생각|의견(?:을|이|은)|추천(?:해|\s?좀"
            r"|을)|조언|고민|뭐\s?먹(?:을|지|으면)|뭘\s?(?:먹|입|볼|살)|맛집|좋아하(?:니|세요"
            r"|는 (?:음식|색|노래|영화))|인생의\s?의미|여행\s?(?:계획|일정)(?:을)?\s?(?:짜|세워"
            r"|만들)|이름\s?(?:지어|추천)|아이디어(?:를|\s?좀)?\s?(?:줘|내|추천)",
        ),
    )
)

_SUBJECTS = re.compile(
    r"\bcolloquy\b|콜로퀴|\bsessions?\b|세션|websocket|웹소켓|\bsockets?\b|소켓|reconnect|재연결"
    r"|재접속|\bresum(?:e|es|ing|ption)\b|checkpoint|체크포인트|event log|이벤트|\boffsets?\b"
    r"|snapshot|스냅샷|postgres|valkey|\bredis\b|langgraph|랭그래프|\bagents?\b|에이전트"
    r"|supervisor|\bteams?\b(?= (?:in|of|does|do|work))|\bmemor(?:y|ies)\b|\bingest|\bdocs?\b"
    r"|documentation|\bdocuments?\b|문서|\bwidget|close code|종료\s?코드|\bprotocol|프로토콜"
    r"|\bsettings?\b|설정|\bdeploy|배포|\bnodes?\b|노드|\bendpoint|\bmake run\b"
    r"|\bruns?\b(?= (?:on|with|in|when|end|fail))|\bserver\b|서버|\bAPI\b|\bcli\b|\bdoctor\b"
    r"|migration|마이그레이션|\bmanual\b|매뉴얼",
    re.IGNORECASE,
)

_SAID: dict[str, tuple[str, str]] = {
    "writing": (
        "I can't write that: composing new text needs a language model, and none is connected.",
        "새 글을 짓는 일은 언어 모델이 필요한데 지금은 연결되어 있지 않아서 할 수 없어요.",
    ),
    "image": (
        "I can't make images, sound or video; that needs a generative model, and none is "
        "connected.",
        "그림이나 소리, 영상을 만드는 일은 생성 모델이 필요해서 할 수 없어요.",
    ),
    "translation": ("I can't translate without a model.", "번역은 모델 없이는 할 수 없어요."),
    "rewriting": (
        "I can't rewrite or correct text without a model.",
        "글을 고쳐 쓰거나 교정하는 일은 모델 없이는 할 수 없어요.",
    ),
    "code": (
        "I can't write or repair code without a model.",
        "코드를 짜거나 고치는 일은 모델 없이는 할 수 없어요.",
    ),
    "rates": (
        "I can't convert currencies: that needs live exchange rates, and I work offline.",
        "환율은 실시간 정보가 필요한데 저는 오프라인이라 통화를 바꿀 수 없어요.",
    ),
    "live": (
        "I can't know that: it needs live data from the internet, and I work offline.",
        "실시간 정보가 필요한 질문이라 오프라인인 저는 알 수 없어요.",
    ),
    "action": (
        "I can't do that: I only answer here; I cannot act in other programs or on the internet.",
        "저는 여기서 답만 할 수 있고, 다른 프로그램이나 인터넷에서 대신 행동할 수는 없어요.",
    ),
    "chance": (
        "I can't do that: I use no chance and no secrets, only fixed rules.",
        "저는 정해진 규칙으로만 일해서 무작위 뽑기나 점치기는 할 수 없어요.",
    ),
    "feeling": (
        "I'm sorry to hear that. I am a rule-based assistant and no good company; someone you "
        "trust is a far better listener.",
        "마음이 무거우시겠어요. 저는 규칙으로 일하는 도우미라 위로가 되는 말을 나눌 수 "
        "없으니, 믿을 만한 사람과 이야기해 보세요.",
    ),
    "opinion": (
        "I can't do that without a model: I have no opinions or taste, only documents and "
        "arithmetic.",
        "저는 모델이 아니라서 의견이나 추천은 드릴 수 없어요.",
    ),
}


def kind_of(text: str) -> str | None:
    """Return what kind of thing a text asks that cannot be done here, or None.

    When the text also speaks of what the documents are about, softer kinds are left to
    the search team.
    """
    about_documents = _SUBJECTS.search(text) is not None
    for kind, words, softened in _KINDS:
        if words.search(text) and not (softened and about_documents):
            return kind
    return None


def is_strict(kind: str) -> bool:
    """Tell whether a kind is settled before any team is asked."""
    return kind in {"writing", "image", "translation", "rewriting", "code", "chance"}


def about_documents(text: str) -> bool:
    """Tell whether a text speaks of what the project's documents are about."""
    return _SUBJECTS.search(text) is not None


def refusal(kind: str, language: Language) -> str:
    """Return the honest line for a kind."""
    english, korean = _SAID[kind]
    return korean if language == "ko" else english
