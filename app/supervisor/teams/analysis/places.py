"""Cities and zone names people use, with their time zones."""

import re
from functools import cache

_PLACES: tuple[tuple[str, str, str], ...] = (
    ("Asia/Seoul", "seoul|korea|south korea|busan|kst", "서울|한국|부산|대한민국"),
    ("Asia/Tokyo", "tokyo|japan|osaka|jst", "도쿄|동경|일본|오사카"),
    ("Asia/Shanghai", "beijing|shanghai|china|shenzhen", "베이징|북경|상하이|상해|중국"),
    ("Asia/Hong_Kong", "hong kong|hkt", "홍콩"),
    ("Asia/Taipei", "taipei|taiwan", "타이베이|대만"),
    ("Asia/Singapore", "singapore|sgt", "싱가포르|싱가폴"),
    ("Asia/Bangkok", "bangkok|thailand", "방콕|태국"),
    ("Asia/Ho_Chi_Minh", "hanoi|vietnam|ho chi minh city|saigon", "하노이|베트남|호치민"),
    ("Asia/Manila", "manila|philippines", "마닐라|필리핀"),
    ("Asia/Jakarta", "jakarta", "자카르타"),
    (
        "Asia/Kolkata",
        "mumbai|delhi|new delhi|india|bangalore|kolkata|ist",
        "뭄바이|델리|인도|뉴델리",
    ),
    ("Asia/Dubai", "dubai|abu dhabi|uae", "두바이|아부다비"),
    ("Asia/Riyadh", "riyadh|saudi arabia", "리야드|사우디"),
    ("Asia/Jerusalem", "jerusalem|tel aviv|israel", "예루살렘|이스라엘"),
    ("Europe/Istanbul", "istanbul|turkey", "이스탄불|터키|튀르키예"),
    ("Europe/Moscow", "moscow|msk", "모스크바"),
    ("Europe/Athens", "athens|greece", "아테네|그리스"),
    ("Europe/Helsinki", "helsinki|finland", "헬싱키|핀란드"),
    ("Europe/Berlin", "berlin|germany|munich|frankfurt|cet|cest", "베를린|독일|뮌헨|프랑크푸르트"),
    ("Europe/Paris", "paris|france", "파리|프랑스"),
    ("Europe/Madrid", "madrid|spain|barcelona", "마드리드|스페인|바르셀로나"),
    ("Europe/Rome", "rome|italy|milan", "로마|이탈리아|밀라노"),
    ("Europe/Amsterdam", "amsterdam|netherlands", "암스테르담|네덜란드"),
    ("Europe/Zurich", "zurich|geneva|switzerland", "취리히|제네바|스위스"),
    ("Europe/Stockholm", "stockholm|sweden", "스톡홀름|스웨덴"),
    ("Europe/Vienna", "vienna|austria", "빈|비엔나|오스트리아"),
    ("Europe/Warsaw", "warsaw|poland", "바르샤바|폴란드"),
    ("Europe/Lisbon", "lisbon|portugal", "리스본|포르투갈"),
    ("Europe/London", "london|england|united kingdom|uk|britain|bst", "런던|영국"),
    ("Europe/Dublin", "dublin|ireland", "더블린|아일랜드"),
    ("Africa/Cairo", "cairo|egypt", "카이로|이집트"),
    ("Africa/Lagos", "lagos|nigeria", "라고스"),
    ("Africa/Nairobi", "nairobi|kenya", "나이로비|케냐"),
    (
        "Africa/Johannesburg",
        "johannesburg|cape town|south africa",
        "요하네스버그|남아공|케이프타운",
    ),
    ("America/Sao_Paulo", "sao paulo|são paulo|rio de janeiro|brazil", "상파울루|리우|브라질"),
    ("America/Argentina/Buenos_Aires", "buenos aires|argentina", "부에노스아이레스|아르헨티나"),
    (
        "America/New_York",
        "new york|nyc|boston|washington(?: dc)?|miami|atlanta|toronto|est|edt|eastern(?: time)?|et",
        "뉴욕|보스턴|워싱턴|토론토|동부",
    ),
    (
        "America/Chicago",
        "chicago|dallas|houston|austin|cst|cdt|central time",
        "시카고|댈러스|휴스턴",
    ),
    ("America/Denver", "denver|mst|mdt|mountain time", "덴버"),
    ("America/Phoenix", "phoenix|arizona", "피닉스|애리조나"),
    (
        "America/Los_Angeles",
        "los angeles|san francisco|seattle|vancouver|california|silicon valley|la|pst|pdt"
        "|pacific(?: time)?|pt",
        "로스앤젤레스|샌프란시스코|시애틀|캘리포니아|밴쿠버|엘에이|서부",
    ),
    ("America/Anchorage", "anchorage|alaska", "앵커리지|알래스카"),
    ("Pacific/Honolulu", "honolulu|hawaii", "호놀룰루|하와이"),
    ("America/Mexico_City", "mexico city|mexico", "멕시코시티|멕시코"),
    ("Australia/Sydney", "sydney|melbourne|aest|aedt", "시드니|멜버른"),
    ("Australia/Perth", "perth", "퍼스"),
    ("Pacific/Auckland", "auckland|new zealand|wellington", "오클랜드|뉴질랜드"),
    ("UTC", "utc|gmt|zulu|coordinated universal time", "세계시|협정\\s?세계시"),
)


@cache
def _matcher() -> re.Pattern[str]:
    parts = [
        rf"(?P<z{index}>\b(?:{english})\b|(?:{korean}))"
        for index, (_, english, korean) in enumerate(_PLACES)
    ]
    return re.compile("|".join(parts), re.IGNORECASE)


def found(text: str) -> list[tuple[int, int, str, str]]:
    """Return (start, end, zone, name as written) of each place in the text, in order."""
    return [
        (*match.span(), _PLACES[int(str(match.lastgroup)[1:])][0], match.group())
        for match in _matcher().finditer(text)
    ]
