"""Prime numbers, fast enough for a chat and bounded."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

from math import gcd, isqrt, log

from app.supervisor.teams.analysis.working import Refused

MOST_FACTORED = 10**15
MOST_TESTED = 10**24
_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)  # enough below 3.3 × 10**24
_TRIAL_LIMIT = 20_000  # what is left above this bound goes to Pollard's rho
_MOST_NTH = 50_000
_MOST_SPAN = 1_000_000


def is_prime(value: int) -> bool:
    """Tell whether a number below 10**24 is prime (Miller and Rabin, no chance involved)."""
    if value < 2:
        return False
    for small in _WITNESSES:
        if value % small == 0:
            return value == small
    odd, twos = value - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for witness in _WITNESSES:
        power = pow(witness, odd, value)
        if power in {1, value - 1}:
            continue
        for _ in range(twos - 1):
            power = power * power % value
            if power == value - 1:
                break
        else:
            return False
    return True


def factors_of(value: int) -> list[tuple[int, int]]:
    """Return (prime, power) in order for 2 ≤ value ≤ 10**15, within milliseconds."""
    found: dict[int, int] = {}
    divisor = 2
    while divisor <= _TRIAL_LIMIT and divisor * divisor <= value:
        while value % divisor == 0:
            found[divisor] = found.get(divisor, 0) + 1
            value //= divisor
        divisor += 1 if divisor == 2 else 2
    pending = [value] if value > 1 else []
    while pending:
        part = pending.pop()
        if is_prime(part):
            found[part] = found.get(part, 0) + 1
            continue
        split = _rho(part)
        pending += [split, part // split]
    return sorted(found.items())


def _rho(value: int) -> int:
    """Return a proper divisor of a composite with no small one (Pollard, Floyd's cycle)."""
    root = isqrt(value)
    if root * root == value:
        return root
    for shift in range(1, 50):
        slow = fast = 2
        divisor = 1
        while divisor == 1:
            slow = (slow * slow + shift) % value
            fast = (fast * fast + shift) % value
            fast = (fast * fast + shift) % value
            divisor = gcd(abs(slow - fast), value)
        if divisor != value:
            return divisor
    raise Refused("too_large", "I could not factorise that.", "소인수분해를 하지 못했어요.")


def primes_between(low: int, high: int) -> list[int]:
    """Return the primes from low to high; raise Refused beyond a million."""
    if high > _MOST_SPAN:
        raise Refused("too_large", "I list primes up to 1,000,000.", "소수는 1,000,000까지 찾아요.")
    return [number for number in _sieved(high) if number >= low]


def _sieved(high: int) -> list[int]:
    if high < 2:
        return []
    sieve = bytearray([1]) * (high + 1)
    sieve[0:2] = b"\0\0"
    for number in range(2, isqrt(high) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, high + 1, number)))
    return [number for number, flag in enumerate(sieve) if flag]


def nth_prime(nth: int) -> int:
    """Return the nth prime for 1 ≤ nth ≤ 50,000, else raise Refused."""
    if not 1 <= nth <= _MOST_NTH:
        raise Refused(
            "too_large", "I find primes up to the 50,000th.", "50,000번째 소수까지 찾아요."
        )
    # Rosser: the nth prime is below n (ln n + ln ln n) for n ≥ 6
    bound = 13 if nth < 6 else int(nth * (log(nth) + log(log(nth)))) + 1
    return _sieved(bound)[nth - 1]
