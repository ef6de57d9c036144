"""Holds the special functions of coordinator/stats against mpmath at 40 digits.

usage: special.py PROGRAM     (PROGRAM is build/.../oracle_special)

Every value must agree to 1e-12 relative (1e-11 below 1e-100, where the exponent alone costs three digits). A quantile is judged by its own value, or, where the argument's last bit moves
the value by more than that, by how far it stays inside that bit. One line `ok NAME` or `not ok NAME` a function.
"""
import random
import subprocess
import sys

from mpmath import mp, mpf, betainc, gammainc, erfc, exp, log, loggamma, sqrt

mp.dps = 40
TOLERANCE = mpf("1e-12")


def ibeta(a, b, x):
    a, b, x = mpf(a), mpf(b), mpf(x)
    y = 1 - x
    front = exp(a * log(x) + b * log(y) - loggamma(a) - loggamma(b) + loggamma(a + b))
    if y < x:  # the series in y is the shorter one; 1 - it is good while it leaves enough of the 40 digits
        rest = 1 - front / b * fraction(b, a, y)
        if rest > mpf("1e-20"):
            return rest
    return front / a * fraction(a, b, x)


def fraction(a, b, x):
    """2F1(a+b, 1; a+1; x) by its series: every term positive."""
    term = total = mpf(1)
    n = 0
    while True:
        term *= (a + b + n) / (a + 1 + n) * x
        total += term
        n += 1
        if term < total * mpf(10) ** -38:
            return total


def binomial_at_most(k, n, p):
    return ibeta(n - k, k + 1, 1 - mpf(p)) if k < n else mpf(1)


def two_sided(t, df):
    t, df = mpf(t), mpf(df)
    return ibeta(df / 2, mpf(1) / 2, df / (df + t * t)) if t else mpf(1)


def student_cdf(t, df):
    tail = two_sided(t, df) / 2
    return tail if t < 0 else 1 - tail


EXACT = {
    "normal_cdf": lambda x: erfc(-mpf(x) / sqrt(mpf(2))) / 2,
    "student_two_sided": two_sided,
    "student_cdf": student_cdf,
    "beta_regular": ibeta,
    "gamma_lower": lambda a, x: gammainc(mpf(a), 0, mpf(x), regularized=True),
    "gamma_upper": lambda a, x: gammainc(mpf(a), mpf(x), mp.inf, regularized=True),
    "chi_square_upper": lambda x, df: gammainc(mpf(df) / 2, mpf(x) / 2, mp.inf, regularized=True),
    "binomial_at_most": binomial_at_most,
    "binomial_pmf": lambda k, n, p: exp(loggamma(n + 1) - loggamma(k + 1) - loggamma(n - k + 1)
                                        + k * log(mpf(p)) + (n - k) * log(1 - mpf(p))),
}
# quantile: (function that it inverts, its own slope in relative terms is taken numerically)
INVERSE = {
    "normal_quantile": lambda v, p: (EXACT["normal_cdf"](v), p),
    "student_quantile": lambda v, p, df: (student_cdf(v, df), p),
    "beta_quantile": lambda v, a, b, p: (ibeta(a, b, v), p),
}


def cases():
    rng = random.Random(20)
    for x in [-37, -20, -8.3, -3, -1, -0.1, 0, 0.5, 1.96, 6]:
        yield "normal_cdf", (x,)
    for p in [1e-300, 1e-100, 1e-15, 1e-6, 0.0013, 0.025, 0.2, 0.4999, 0.5001, 0.9, 0.975, 0.999999]:
        yield "normal_quantile", (p,)
    for df in [0.5, 1, 2, 3, 4.7, 9, 30, 160, 1999, 1e5]:
        for t in [-1e8, -40, -5, -1.3, -0.01, 0.2, 2.5]:
            yield "student_cdf", (t, df)
        yield "student_two_sided", (12.5, df)
        for p in [1e-12, 1e-4, 0.025, 0.3, 0.6, 0.95, 0.9999]:
            yield "student_quantile", (p, df)
    for _ in range(150):
        a, b = 10 ** rng.uniform(-1, 4), 10 ** rng.uniform(-1, 4)
        m, s = a / (a + b), (a * b / (a + b + 1)) ** 0.5 / (a + b)
        x = min(max(m + rng.uniform(-6, 6) * s, 1e-6), 1 - 1e-6)
        yield "beta_regular", (a, b, x)
        yield "beta_quantile", (a, b, rng.choice([1e-10, 0.001, 0.025, 0.3, 0.5, 0.9, 0.975]))
        yield "gamma_lower", (a, a * 10 ** rng.uniform(-0.5, 0.2) / max(1, a ** 0.4))
        yield "gamma_upper", (a, a + rng.uniform(-2, 12) * a ** 0.5 if a > 5 else a * rng.uniform(0.5, 20))
        yield "chi_square_upper", (rng.uniform(0.01, 200), rng.choice([1, 2, 3, 7, 30]))
        n = rng.choice([5, 40, 770, 20000])
        k = rng.randrange(max(1, n // 3), n)
        yield "binomial_at_most", (k, n, 0.5)
        yield "binomial_pmf", (k, n, rng.choice([0.5, 0.3, 0.83]))
    yield "beta_quantile", (11, 99990, 0.025)
    yield "beta_quantile", (99990, 11, 0.975)
    yield "student_cdf", (-2.5, 1e5)
    yield "student_quantile", (0.975, 1e5)
    yield "binomial_at_most", (49900, 100000, 0.5)


def judge(name, args, value):
    if name in EXACT:
        want = EXACT[name](*args)
        if want < mpf("1e-290"):
            return mpf(0) if value < 1e-280 else mpf(1)
        error = abs(mpf(value) - want) / abs(want)
        return error / 10 if want < mpf("1e-100") else error
    got, want = INVERSE[name](value, *args)
    step = mpf(value) * mpf("1e-12")
    slope = abs(INVERSE[name](mpf(value) + step, *args)[0] - got)  # what a change of 1e-12 would do
    argument_bit = mpf(2) ** -53 * want
    return max(mpf(0), abs(got - want) - argument_bit) / slope * TOLERANCE


def main():
    todo = list(cases())
    text = "".join(f"{name} {' '.join(repr(float(a)) for a in args)}\n" for name, args in todo)
    out = subprocess.run([sys.argv[1]], input=text, capture_output=True, text=True, check=True).stdout.split()
    assert len(out) == len(todo)
    worst, wrong = {}, set()
    for (name, args), value in zip(todo, out):
        error = judge(name, args, float(value))
        worst[name] = max(worst.get(name, mpf(0)), error)
        if not error <= TOLERANCE:
            wrong.add(name)
            print(f"{name}{args}: {value}, error {mp.nstr(error, 3)}")
    for name, error in sorted(worst.items()):
        count = sum(1 for n, _ in todo if n == name)
        print(f"{'not ok' if name in wrong else 'ok'} {name} ({count} values, worst relative error {mp.nstr(error, 3)})")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
