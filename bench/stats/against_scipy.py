"""`assay stat` against numpy, scipy and mpmath on random cases of every test.

    python3 bench/stats/against_scipy.py [--cases 4000] [--seed 1] [--show 20]

Moments are exact (fractions of the doubles given), tails come from mpmath or scipy's
own, and rank tests from straightforward counting. Prints the worst relative error per
test and every case beyond its tolerance; exit code 1 when there is one. Needs numpy,
scipy and mpmath, and a built `dist/`.
"""
import argparse, json, math, os, random, subprocess, sys
from fractions import Fraction as F
from itertools import product
import mpmath as mp
import numpy as np
from scipy import stats as ss
from scipy import special as sp

mp.mp.dps = 40
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
EPS10 = 10 * 2.0 ** -52
INF = math.inf


# Exact moments and tails

def m(x):
    return mp.mpf(x.numerator) / x.denominator if isinstance(x, F) else mp.mpf(x)

def mean(xs):
    return sum(map(F, xs), F(0)) / len(xs)

def var(xs):
    mu = mean(xs)
    return sum(((F(x) - mu) ** 2 for x in xs), F(0)) / (len(xs) - 1)

def cov(xs, ys):
    a, b = mean(xs), mean(ys)
    return sum(((F(x) - a) * (F(y) - b) for x, y in zip(xs, ys)), F(0)) / (len(xs) - 1)

def t_sf(t, df):
    """P(T > t), t >= 0, relative digits in the tail."""
    t, df = mp.mpf(t), mp.mpf(df)
    if df > 3000 or t == 0:
        return mp.mpf(ss.t.sf(float(t), float(df))) if t else mp.mpf(1) / 2
    x = df / (df + t * t)
    if x < 0.9 or t > 3:
        return mp.betainc(df / 2, mp.mpf(1) / 2, 0, x, regularized=True) / 2
    return mp.mpf(1) / 2 - mp.betainc(mp.mpf(1) / 2, df / 2, 0, t * t / (df + t * t), regularized=True) / 2

def t_quantile(p, df):
    """By bisection on log t; from df = 1e5 on by Cornish and Fisher."""
    tail, sign = (mp.mpf(p), -1) if p < .5 else (1 - mp.mpf(p), 1)
    if df >= 1e5:
        z, v = -mp.sqrt(2) * mp.erfinv(1 - 2 * tail) * -sign if tail > 1e-30 else sign * mp.findroot(lambda z: mp.log(n_sf(z)) - mp.log(tail), mp.sqrt(-2 * mp.log(tail))), mp.mpf(df)
        return z + (z ** 3 + z) / (4 * v) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * v ** 2) + (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * v ** 3)
    low, high = mp.mpf(-60), mp.mpf(1500)
    for _ in range(90):
        mid = (low + high) / 2
        low, high = (mid, high) if t_sf(mp.exp(mid), df) > tail else (low, mid)
    return sign * (mp.exp(low) if low < 709.78 else mp.inf)

def n_sf(z):
    return mp.erfc(mp.mpf(z) / mp.sqrt(2)) / 2

def sided(sf, x, alternative):
    if alternative == 'two-sided':
        return min(mp.mpf(1), 2 * sf(abs(x)))
    up = x if alternative == 'greater' else -x
    return sf(up) if up >= 0 else 1 - sf(-up)

def interval(est, crit, se, alternative):
    return [-INF if alternative == 'less' else float(est - crit * se), INF if alternative == 'greater' else float(est + crit * se)]

def share(o):
    left = 1 - o.get('confidenceLevel', 0.95)
    return left / 2 if o.get('alternative', 'two-sided') == 'two-sided' else left

def t_inference(est, se, df, o, null=0):
    alt = o.get('alternative', 'two-sided')
    t = (est - null) / se
    return {'statistic': t, 'pValue': sided(lambda x: t_sf(x, df), t, alt), 'ci': interval(est, mp.mpf(ss.t.isf(share(o), float(df))), se, alt)}

def z_inference(est, se, o):
    alt = o.get('alternative', 'two-sided')
    return {'statistic': est / se, 'pValue': sided(n_sf, est / se, alt), 'ci': interval(est, mp.mpf(ss.norm.isf(share(o))), se, alt)}

def hedges(df):
    df = mp.mpf(df)
    return mp.exp(mp.loggamma(df / 2) - mp.loggamma((df - 1) / 2)) / mp.sqrt(df / 2) if df > 1 else mp.mpf(0)


class Refused(Exception):
    pass

def check(*columns, least=0, equal=False):
    if equal and len({len(c) for c in columns}) > 1:
        raise Refused('length_mismatch')
    if any(not math.isfinite(x) for c in columns for x in c):
        raise Refused('non_finite')
    if any(len(c) < least for c in columns):
        raise Refused('insufficient_data')

def not_noise(se, *means):
    if se == 0 or se < EPS10 * max(abs(float(x)) for x in means):
        raise Refused('zero_variance')


# References, one per test

def paired_t(i, o):
    if 'n' in i:
        n, d, sd = i['n'], mp.mpf(i['meanDifference']), mp.mpf(i['sdDifference'])
        if n < 2: raise Refused('insufficient_data')
        not_noise(sd / mp.sqrt(n), d)
    else:
        if 'a' in i:
            check(i['a'], i['b'], least=2, equal=True)
            diff = [F(x) - F(y) for x, y in zip(i['a'], i['b'])]
            means = [mean(i['a']), mean(i['b'])]
        else:
            check(i['differences'], least=2)
            diff, means = i['differences'], [mean(i['differences'])]
        n, d, sd = len(diff), m(mean(diff)), mp.sqrt(m(var(diff)))
        not_noise(sd / mp.sqrt(n), *means)
    se, mu = sd / mp.sqrt(n), o.get('mu', 0)
    dz = (d - mu) / sd
    return {**t_inference(d, se, n - 1, o, mu), 'df': n - 1, 'meanDifference': d, 'sdDifference': sd, 'standardError': se,
            'effectSize': {'cohensDz': dz, **({'hedgesGz': dz * hedges(n - 1)} if n > 2 else {})}}

def welch_parts(na, ma, va, nb, mb, vb, o):
    qa, qb = va / na, vb / nb
    se = mp.sqrt(qa + qb)
    not_noise(se, ma, mb)
    df = (qa + qb) ** 2 / (qa ** 2 / (na - 1) + qb ** 2 / (nb - 1))
    return se, df

def welch(i, o):
    a, b = i['a'], i['b']
    if isinstance(a, dict):
        if min(a['n'], b['n']) < 2: raise Refused('insufficient_data')
        na, ma, va, nb, mb, vb = a['n'], mp.mpf(a['mean']), mp.mpf(a['variance']), b['n'], mp.mpf(b['mean']), mp.mpf(b['variance'])
    else:
        check(a, b, least=2)
        na, ma, va, nb, mb, vb = len(a), m(mean(a)), m(var(a)), len(b), m(mean(b)), m(var(b))
    se, df = welch_parts(na, ma, va, nb, mb, vb, o)
    pooled = mp.sqrt(((na - 1) * va + (nb - 1) * vb) / (na + nb - 2))
    d = (ma - mb) / pooled
    return {**t_inference(ma - mb, se, df, o), 'df': df, 'meanDifference': ma - mb, 'standardError': se,
            'effectSize': {'cohensD': d, 'hedgesG': d * hedges(na + nb - 2)}}

def grid(values):
    big = max(abs(x) for x in values)
    return (lambda d: 0) if big == 0 else (lambda d, e=math.ceil(math.log10(big)) - 15: round(F(d) / F(10) ** e))

def midranks(xs):
    return ss.rankdata(xs)

def subset_tails(ranks2, w2):
    """P(W <= w), P(W >= w) for doubled ranks, by exact integers."""
    counts = {0: 1}
    for r in ranks2:
        nxt = dict(counts)
        for s, c in counts.items():
            nxt[s + r] = nxt.get(s + r, 0) + c
        counts = nxt
    total = 2 ** len(ranks2)
    return m(F(sum(c for s, c in counts.items() if s <= w2), total)), m(F(sum(c for s, c in counts.items() if s >= w2), total))

def exact_p(tails, alt):
    low, up = tails
    return up if alt == 'greater' else low if alt == 'less' else min(mp.mpf(1), 2 * min(low, up))

def continuity(c, alt, on):
    if not on: return 0.0
    return 0.5 * np.sign(c) if alt == 'two-sided' else 0.5 if alt == 'greater' else -0.5

def wilcoxon(i, o):
    if 'a' in i:
        check(i['a'], i['b'], equal=True)
        d, base = [F(x) - F(y) for x, y in zip(i['a'], i['b'])], i['a'] + i['b']
    else:
        check(i['differences'])
        d, base = [F(x) for x in i['differences']], i['differences']
    if not d: raise Refused('insufficient_data')
    g = grid(base)
    steps = [g(x) for x in d]
    if all(s == 0 for s in steps): raise Refused('all_zero')
    zm, alt = o.get('zeroMethod', 'wilcox'), o.get('alternative', 'two-sided')
    zeros = steps.count(0)
    nz = [s for s in steps if s]
    used = nz if zm == 'wilcox' else steps
    # Ranks of whole numbers: as strings of equal length they would do too; floats lose digits above 2^53, these stay below.
    ranks = midranks([float(abs(s)) for s in used])
    plus = sum(r for r, s in zip(ranks, used) if s > 0)
    minus = sum(r for r, s in zip(ranks, used) if s < 0)
    zero_sum = sum(r for r, s in zip(ranks, used) if s == 0)
    own = midranks([float(abs(s)) for s in nz])
    rb_p, rb_m = plus, minus
    method = o.get('method', 'auto')
    exact = method == 'exact' or (method == 'auto' and len(nz) <= 50)
    out = {'method': 'exact' if exact else 'asymptotic', 'zeros': zeros, 'nonZero': len(nz)}
    nzr = [r for r, s in zip(ranks, used) if s]
    if exact:
        out['pValue'] = exact_p(subset_tails([round(2 * r) for r in nzr], round(2 * plus)), alt)
    else:
        def ties(vals):
            return sum(c ** 3 - c for c in np.unique(vals, return_counts=True)[1].astype(float))
        if zm == 'wilcox':
            n = len(nz); mu = n * (n + 1) / 4; v = n * (n + 1) * (2 * n + 1) / 24 - ties(own) / 48; w = plus
        elif zm == 'pratt':
            n = len(used); mu = (n * (n + 1) - zeros * (zeros + 1)) / 4
            v = (n * (n + 1) * (2 * n + 1) - zeros * (zeros + 1) * (2 * zeros + 1)) / 24 - ties([abs(float(s)) for s in nz]) / 48; w = plus
        else:
            n = len(used); mu = n * (n + 1) / 4; v = n * (n + 1) * (2 * n + 1) / 24 - ties([abs(float(s)) for s in used]) / 48; w = plus + zero_sum / 2
        c = w - mu
        z = (c - continuity(c, alt, o.get('continuity', True))) / math.sqrt(v)
        out.update(z=z, pValue=sided(n_sf, mp.mpf(z), alt))
    if zm == 'wilcox': out.update(statistic=plus, wPlus=plus, wMinus=minus)
    out['effectSize'] = {'rankBiserial': (rb_p - rb_m) / (rb_p + rb_m)}
    n = len(d)
    e = math.ceil(math.log10(max(abs(x) for x in base))) - 15
    val = sorted(F(s) * F(10) ** e for s in steps)
    if n <= 120:
        walsh = sorted((val[p] + val[q]) / 2 for p in range(n) for q in range(p, n))
        M = len(walsh)
        out['hodgesLehmann'] = m((walsh[(M - 1) // 2] + walsh[M // 2]) / 2)
        al = share(o)
        if n <= 50:
            k = qsignrank(al, n)
        else:
            k = math.ceil(M / 2 + ss.norm.ppf(al) * math.sqrt(n * (n + 1) * (2 * n + 1) / 24) - 0.5)
        k = min(M, max(1, k))
        out['ci'] = [-INF if alt == 'less' else float(walsh[k - 1]), INF if alt == 'greater' else float(walsh[M - k])]
    return out

def qsignrank(p, n):
    counts = [1]
    for r in range(1, n + 1):
        nxt = counts + [0] * r
        for s, c in enumerate(counts): nxt[s + r] += c
        counts = nxt
    acc = 0
    for w, c in enumerate(counts):
        acc += c
        if F(acc, 2 ** n) >= F(p) - F(EPS10): return w
    return len(counts) - 1

def mann_whitney(i, o):
    a, b = i['a'], i['b']
    check(a, b, least=1)
    if len(set(a + b)) == 1: raise Refused('zero_variance')
    alt, na, nb = o.get('alternative', 'two-sided'), len(a), len(b)
    ranks = midranks(a + b)
    u1 = sum(ranks[:na]) - na * (na + 1) / 2
    method = o.get('method', 'auto')
    exact = method == 'exact' or (method == 'auto' and max(na, nb) <= 50)
    out = {'method': 'exact' if exact else 'asymptotic', 'statistic': u1, 'u1': u1, 'u2': na * nb - u1,
           'effectSize': {'rankBiserial': 2 * u1 / (na * nb) - 1, 'commonLanguage': u1 / (na * nb)}}
    if exact:
        r2 = [round(2 * r) for r in ranks]
        rows = [{} for _ in range(na + 1)]
        rows[0][0] = 1
        for r in r2:
            for k in range(na - 1, -1, -1):
                for s, c in rows[k].items(): rows[k + 1][s + r] = rows[k + 1].get(s + r, 0) + c
        obs, total = sum(r2[:na]), math.comb(na + nb, na)
        tails = m(F(sum(c for s, c in rows[na].items() if s <= obs), total)), m(F(sum(c for s, c in rows[na].items() if s >= obs), total))
        out['pValue'] = exact_p(tails, alt)
    else:
        N = na + nb
        t = sum(c ** 3 - c for c in np.unique(a + b, return_counts=True)[1].astype(float))
        v = na * nb / 12 * (N + 1 - t / (N * (N - 1)))
        c = u1 - na * nb / 2
        z = (c - continuity(c, alt, o.get('continuity', True))) / math.sqrt(v)
        out.update(z=z, pValue=sided(n_sf, mp.mpf(z), alt))
    d = sorted(F(x) - F(y) for x in a for y in b)
    out['hodgesLehmann'] = m((d[(len(d) - 1) // 2] + d[len(d) // 2]) / 2)
    return out

def ks(i, o):
    a, b = sorted(i['a']), sorted(i['b'])
    check(a, b, least=1)
    na, nb = len(a), len(b)
    pts = sorted(set(a + b))
    D = max(abs(np.searchsorted(a, x, 'right') * nb - np.searchsorted(b, x, 'right') * na) for x in pts)
    stat = D / (na * nb)
    method = o.get('method', 'auto')
    exact = method == 'exact' or (method == 'auto' and na * nb < 10000)
    if not exact:
        lam = mp.sqrt(mp.mpf(na) * nb / (na + nb)) * mp.mpf(int(D)) / (na * nb)
        if lam == 0: p = mp.mpf(1)
        elif lam > 0.3: p = 2 * mp.nsum(lambda k: (-1) ** (int(k) - 1) * mp.exp(-2 * k * k * lam * lam), [1, 60])
        else: p = 1 - mp.sqrt(2 * mp.pi) / lam * sum(mp.exp(-(2 * k - 1) ** 2 * mp.pi ** 2 / (8 * lam ** 2)) for k in range(1, 30))
        return {'method': 'asymptotic', 'statistic': stat, 'pValue': p}
    ends = {0} | {int(np.searchsorted(a, x, 'right') + np.searchsorted(b, x, 'right')) for x in pts}
    row = None
    for x in range(na + 1):
        new = [0] * (nb + 1)
        for y in range(nb + 1):
            if x + y in ends and abs(x * nb - y * na) >= D: continue
            new[y] = 1 if x == y == 0 else (row[y] if x else 0) + (new[y - 1] if y else 0)
        row = new
    return {'method': 'exact', 'statistic': stat, 'pValue': m(1 - F(row[nb], math.comb(na + nb, na)))}

def two_proportion(i, o):
    (x1, n1), (x2, n2) = ((i[k]['successes'], i[k]['n']) for k in 'ab')
    if min(n1, n2) < 1: raise Refused('insufficient_data')
    p1, p2 = mp.mpf(x1) / n1, mp.mpf(x2) / n2
    pooled = o.get('pooled', True)
    pp = mp.mpf(x1 + x2) / (n1 + n2)
    v = pp * (1 - pp) * (mp.mpf(1) / n1 + mp.mpf(1) / n2) if pooled else p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2
    if v == 0: raise Refused('zero_variance')
    d = p1 - p2
    cut = min(abs(d), (mp.mpf(1) / n1 + mp.mpf(1) / n2) / 2) if o.get('continuity') else 0
    z = mp.sign(d) * (abs(d) - cut) / mp.sqrt(v)
    c = mp.mpf(ss.norm.isf((1 - o.get('confidenceLevel', 0.95)) / 2))
    how = o.get('ciMethod', 'newcombe')
    if how == 'wald':
        h = c * mp.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2); ci = [d - h, d + h]
    elif how == 'agresti-caffo':
        q1, q2 = mp.mpf(x1 + 1) / (n1 + 2), mp.mpf(x2 + 1) / (n2 + 2)
        h = c * mp.sqrt(q1 * (1 - q1) / (n1 + 2) + q2 * (1 - q2) / (n2 + 2)); ci = [q1 - q2 - h, q1 - q2 + h]
    else:
        def wilson(p, n):
            h = c * mp.sqrt(p * (1 - p) / n + c * c / (4 * mp.mpf(n) ** 2)); mid = p + c * c / (2 * n); q = 1 + c * c / n
            return (mid - h) / q, (mid + h) / q
        (l1, u1), (l2, u2) = wilson(p1, n1), wilson(p2, n2)
        ci = [d - mp.sqrt((p1 - l1) ** 2 + (u2 - p2) ** 2), d + mp.sqrt((u1 - p1) ** 2 + (p2 - l2) ** 2)]
    return {'statistic': z, 'pValue': sided(n_sf, z, o.get('alternative', 'two-sided')), 'difference': d, 'ci': ci,
            'effectSize': {'cohensH': 2 * mp.asin(mp.sqrt(p1)) - 2 * mp.asin(mp.sqrt(p2)), 'relative': None if x2 == 0 else d / p2}}

def chi_sf(x, df):
    return mp.gammainc(mp.mpf(df) / 2, mp.mpf(x) / 2, mp.inf, regularized=True)

def chi_square(i, o):
    t = i['table']
    rows, cols, N = [sum(r) for r in t], [sum(c) for c in zip(*t)], sum(map(sum, t))
    if N == 0: raise Refused('insufficient_data')
    if 0 in rows + cols: raise Refused('zero_variance')
    yates = o.get('yates', False)
    stat = raw = F(0)
    for r, row in enumerate(t):
        for c, x in enumerate(row):
            e = F(rows[r] * cols[c], N); d = abs(x - e)
            raw += d * d / e
            if yates: d -= min(F(1, 2), d)
            stat += d * d / e
    df = (len(rows) - 1) * (len(cols) - 1)
    return {'statistic': m(stat), 'df': df, 'pValue': chi_sf(m(stat), df), 'effectSize': {'cramersV': mp.sqrt(m(raw / N / min(len(rows) - 1, len(cols) - 1)))}}

def srm(i, o):
    obs, w = i['observed'], list(map(F, i['weights']))
    N, W = sum(obs), sum(w)
    arms = [k for k in range(len(w)) if w[k] > 0]
    if len(w) > 1 and not arms: raise Refused('invalid_argument')
    if N == 0 or len(arms) < 2: raise Refused('insufficient_data')
    if any(obs[k] for k in range(len(w)) if w[k] == 0):
        return {'statistic': INF, 'df': len(arms) - 1, 'pValue': 0, 'flagged': True}
    stat = m(sum((obs[k] - N * w[k] / W) ** 2 / (N * w[k] / W) for k in arms))
    p = chi_sf(stat, len(arms) - 1)
    return {'statistic': stat, 'df': len(arms) - 1, 'pValue': p, 'flagged': bool(p < o.get('threshold', 0.001))}

def adjust(i, o):
    p, how, n = i['pValues'], o['method'], len(i['pValues'])
    order = sorted(range(n), key=lambda k: p[k])
    out = [0.0] * n
    c = sum(1 / k for k in range(1, n + 1))
    if how == 'bonferroni': out = [min(1, x * n) for x in p]
    elif how == 'holm':
        top = 0
        for r, k in enumerate(order): top = max(top, min(1, (n - r) * p[k])); out[k] = top
    else:
        low = 1.0
        for r in range(n - 1, -1, -1): k = order[r]; low = min(low, p[k] * n / (r + 1) * (c if how == 'by' else 1)); out[k] = low
    return {'adjusted': out, 'rejected': [x <= o.get('alpha', 0.05) for x in out]}

def cuped(i, o):
    (ya, xa), (yb, xb) = ((i[k]['post'], i[k]['pre']) for k in 'ab')
    if len(ya) != len(xa) or len(yb) != len(xb): raise Refused('length_mismatch')
    check(ya, xa, yb, xb, least=2)
    y, x = ya + yb, xa + xb
    vx = var(x)
    th = F(0) if vx == 0 else cov(y, x) / vx
    za, zb = [F(p) - th * F(q) for p, q in zip(ya, xa)], [F(p) - th * F(q) for p, q in zip(yb, xb)]
    na, nb = len(za), len(zb)
    se, df = welch_parts(na, m(mean(za)), m(var(za)), nb, m(mean(zb)), m(var(zb)), o)
    raw = m(var(ya)) / na + m(var(yb)) / nb
    return {**t_inference(m(mean(za) - mean(zb)), se, df, o), 'df': df, 'difference': m(mean(za) - mean(zb)), 'standardError': se, 'theta': m(th), 'varianceReduction': 1 - se ** 2 / raw}

def ratio(i, o):
    parts = []
    for k in 'ab':
        s, d = i[k]['numerator'], i[k]['denominator']
        if len(s) != len(d): raise Refused('length_mismatch')
    check(*(i[k][f] for k in 'ab' for f in ('numerator', 'denominator')), least=2)
    for k in 'ab':
        s, d = i[k]['numerator'], i[k]['denominator']
        if sum(map(F, d)) == 0: raise Refused('zero_denominator')
        R = sum(map(F, s)) / sum(map(F, d))
        z = [(F(p) - R * F(q)) / mean(d) for p, q in zip(s, d)]
        parts.append((len(s), m(R), m(var(z))))
    (na, ra, va), (nb, rb, vb) = parts
    se, df = welch_parts(na, ra, va, nb, rb, vb, o)
    return {**t_inference(ra - rb, se, df, o), 'df': df, 'difference': ra - rb, 'standardError': se, 'ratioA': ra, 'ratioB': rb}

def lift(i, o):
    a, b = i['a'], i['b']
    check(a, b, least=2)
    ma, mb, va, vb = m(mean(a)), m(mean(b)), m(var(a)), m(var(b))
    _, df = welch_parts(len(a), ma, va, len(b), mb, vb, o)
    if mb == 0: raise Refused('zero_denominator')
    se = mp.sqrt(va / (len(a) * mb ** 2) + vb * ma ** 2 / (len(b) * mb ** 4))
    if se == 0: raise Refused('zero_variance')
    est = (ma - mb) / abs(mb)
    return {**t_inference(est, se, df, o), 'df': df, 'lift': est, 'standardError': se}

def winsor(i, o):
    a, b = i['a'], i['b']
    check(a, b, least=2)
    lo, hi = np.quantile(a + b, o['lower']), np.quantile(a + b, o['upper'])
    clip = lambda xs: [float(min(max(x, lo), hi)) for x in xs]
    return {**welch({'a': clip(a), 'b': clip(b)}, o), 'lowerBound': lo, 'upperBound': hi}

def quantile_difference(i, o):
    a, b, v = i['a'], i['b'], o['quantile']
    check(a, b)
    z = 1.959963984540054
    for xs in (a, b):
        n = len(xs)
        if n == 0 or n <= z * z * v / (1 - v) or n <= z * z * (1 - v) / v: raise Refused('insufficient_data')
    def se(xs):
        h = z * math.sqrt(v * (1 - v) / len(xs))
        return (np.quantile(xs, min(1, v + h)) - np.quantile(xs, max(0, v - h))) / (2 * z)
    qa, qb, s = np.quantile(a, v), np.quantile(b, v), math.hypot(se(a), se(b))
    not_noise(s, qa, qb)
    return {**z_inference(mp.mpf(qa - qb), mp.mpf(s), o), 'quantileA': qa, 'quantileB': qb, 'difference': qa - qb, 'standardError': s}

def quantile_ci(i, o):
    x, v = sorted(i['x']), o['quantile']
    check(x, least=1)
    n, al = len(x), (1 - o.get('confidenceLevel', 0.95)) / 2 * (1 + 1e-12)
    pmf = [math.comb(n, k) * F(v) ** k * (1 - F(v)) ** (n - k) for k in range(n + 1)]
    low = [l for l in range(1, n + 1) if sum(pmf[:l]) <= al]
    up = [u for u in range(1, n + 1) if sum(pmf[u:]) <= al]
    l, u = (max(low) if low else None), (min(up) if up else None)
    return {'lowerRank': l, 'upperRank': u, 'ci': [x[l - 1] if l else -INF, x[u - 1] if u else INF], 'coverage': m(1 - (sum(pmf[:l]) if l else 0) - (sum(pmf[u:]) if u else 0))}

def acs(i, o):
    n, e, s = i['n'], mp.mpf(i['estimate']), mp.mpf(i['standardError'])
    if n < 2: raise Refused('insufficient_data')
    if s == 0: raise Refused('zero_variance')
    two = o.get('alternative', 'two-sided') == 'two-sided'
    al, N = mp.mpf(o.get('alpha', 0.05)), o.get('tuningParameter', 5000)
    ev = -2 * mp.log(al if two else 2 * al)
    rho = mp.sqrt((ev + mp.log(ev + 1)) / N)
    g, s2 = n * rho ** 2, s ** 2 * n
    if two:
        h = mp.sqrt(s2) * mp.sqrt(2 * (g + 1) / (n ** 2 * rho ** 2) * mp.log(mp.sqrt(g + 1) / al))
        p = min(mp.mpf(1), mp.sqrt(g + 1) * mp.exp(-rho ** 2 * e ** 2 * n / s ** 2 / (2 * (g + 1))))
    else:
        h = mp.sqrt(s2 * 2 * (g + 1) / (n * rho) ** 2 * mp.log(1 + mp.sqrt(g + 1) / (2 * al))); p = None
    out = {'rho': rho, 'halfWidth': h, 'ci': interval(e, 1, h, o.get('alternative', 'two-sided'))}
    return out if p is None else {**out, 'pValue': p}

def msprt(i, o):
    tau, alpha, p, out, stop = mp.mpf(o['tauSquared']), o.get('alpha', 0.05), mp.mpf(1), [], None
    for k, l in enumerate(i['looks']):
        V = mp.mpf(l['varianceA']) / l['nA'] + mp.mpf(l['varianceB']) / l['nB']
        d = mp.mpf(l['meanA']) - mp.mpf(l['meanB'])
        lam = mp.log(V / (V + tau)) / 2 + tau * d ** 2 / (2 * V * (V + tau))
        p = min(p, mp.exp(-lam))
        if stop is None and p <= alpha: stop = k
        out.append(p)
    return {'pValue': out, 'stopAt': stop}

def power(i, o):
    alt, al, d = o.get('alternative', 'two-sided'), i['alpha'], i['effectSize']
    def pw(n, d):
        r = i.get('ratio', 1)
        df, nc = (n - 1, d * math.sqrt(n)) if i['design'] == 'paired-t' else (n + n * r - 2, d * math.sqrt(n * r / (1 + r)))
        c = ss.t.isf(al / 2 if alt == 'two-sided' else al, df)
        up, lo = ss.nct.sf(c, df, nc), ss.nct.sf(c, df, -nc)
        return up if alt == 'greater' else lo if alt == 'less' else up + lo
    return {'power': pw(i['n'], d)}

def threshold(i, o):
    s, w, k, mn = i['series'], o['window'], o['k'], o.get('minPeriods', o['window'])
    check(s)
    out = {'mean': [], 'sd': [], 'breach': []}
    for t, x in enumerate(s):
        win = s[max(0, t - w):t]
        if len(win) < mn: [out[f].append(None) for f in ('mean', 'sd')]; out['breach'].append(None); continue
        mu, sd = mean(win), mp.sqrt(m(var(win)))
        out['mean'].append(m(mu)); out['sd'].append(sd)
        out['breach'].append(bool(abs(m(F(x) - mu)) > k * sd))
    return {'mean': out['mean'], 'sd': out['sd']}

def ewma(i, o):
    s = i['series']
    check(s)
    al = o['alpha'] if 'alpha' in o else 2 / (o['span'] + 1) if 'span' in o else 1 - math.exp(-math.log(2) / o['halfLife'])
    out, num, den = [], 0.0, 0.0
    for t, x in enumerate(s):
        if o.get('adjust'):
            num, den = num * (1 - al) + x, den * (1 - al) + 1
            out.append(num / den)
        else: out.append(x if t == 0 else al * x + (1 - al) * out[-1])
    return {'values': out}

def nps_parts(s):
    n = len(s)
    p, d = mp.mpf(sum(x >= 9 for x in s)) / n, mp.mpf(sum(x <= 6 for x in s)) / n
    return p - d, mp.sqrt(max(0, p + d - (p - d) ** 2) / n)

def nps(i, o):
    check(i['scores'], least=1)
    v, se = nps_parts(i['scores'])
    c = mp.mpf(ss.norm.isf((1 - o.get('confidenceLevel', 0.95)) / 2))
    return {'nps': 100 * v, 'standardError': 100 * se, 'ci': [max(-100, 100 * (v - c * se)), min(100, 100 * (v + c * se))]}

def nps_difference(i, o):
    check(i['a'], i['b'], least=1)
    (va, sa), (vb, sb) = nps_parts(i['a']), nps_parts(i['b'])
    se = 100 * mp.sqrt(sa ** 2 + sb ** 2)
    if se == 0: raise Refused('zero_variance')
    return {**z_inference(100 * (va - vb), se, o), 'difference': 100 * (va - vb), 'standardError': se}

def csat(i, o):
    s = i['scores']
    check(s, least=1)
    n, k = len(s), sum(x >= o['satisfiedFrom'] for x in s)
    p, c = mp.mpf(k) / n, mp.mpf(ss.norm.isf((1 - o.get('confidenceLevel', 0.95)) / 2))
    h = c * mp.sqrt(p * (1 - p) / n + c * c / (4 * mp.mpf(n) ** 2)); mid = p + c * c / (2 * n); q = 1 + c * c / n
    return {'csat': p, 'satisfied': k, 'n': n, 'mean': m(mean(s)), 'ci': [max(0, (mid - h) / q), min(1, (mid + h) / q)]}

def box(i, o):
    x, k = sorted(i['x']), o.get('whiskerK', 1.5)
    check(x, least=1)
    q1, q2, q3 = (float(np.quantile(x, q)) for q in (.25, .5, .75))
    inside = [v for v in x if q1 - k * (q3 - q1) <= v <= q3 + k * (q3 - q1)]
    return {'min': x[0], 'q1': q1, 'median': q2, 'q3': q3, 'max': x[-1]}

def merge(i, o):
    xs = [x for c in i['chunks'] for x in c]
    check(xs)
    if not xs: return {'n': 0, 'mean': None, 'variance': None, 'min': None, 'max': None}
    return {'n': len(xs), 'mean': m(mean(xs)), 'variance': m(var(xs)) if len(xs) > 1 else None, 'min': min(xs), 'max': max(xs)}

def dist(i, o):
    fn, a = i['fn'], i['args']
    if fn == 'studentT.sf': return {'value': sided(lambda t: t_sf(t, a[1]), mp.mpf(a[0]), 'greater')}
    if fn == 'studentT.cdf': return {'value': sided(lambda t: t_sf(t, a[1]), mp.mpf(a[0]), 'less')}
    if fn == 'studentT.quantile': return {'value': t_quantile(*a)}
    if fn == 'normal.sf': return {'value': n_sf(a[0])}
    if fn == 'normal.cdf': return {'value': n_sf(-a[0])}
    if fn == 'normal.quantile': return {'value': ss.norm.ppf(a[0])}
    if fn == 'chiSquare.sf': return {'value': chi_sf(a[0], a[1])}
    raise KeyError(fn)


# Random cases

class Gen:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def n(self):
        return self.r.choice([1, 2, 2, 3, 4, 7, 12, 20, 33, 49, 50, 51, 60, 90])

    def column(self, n, kind, shift=0.0):
        r = self.r
        draw = {
            'normal': lambda: r.gauss(0, 1) + shift, 'decimal': lambda: round(r.gauss(5, 1) + shift, 2), 'likert': lambda: float(r.randint(1, 5)) + round(shift),
            'binary': lambda: float(r.random() < min(.95, max(.05, .4 + shift))), 'offset': lambda: 1e9 + round(r.gauss(0, 1) + shift, 3), 'tiny': lambda: (r.gauss(0, 1) + shift) * 1e-9,
            'huge': lambda: (r.gauss(0, 1) + shift) * 1e12, 'heavy': lambda: math.exp(2 * r.gauss(0, 1)) + shift, 'constant': lambda: 3.3 + shift, 'zeros': lambda: 0.0,
            'far': lambda: r.gauss(0, 1) * 0.01 + shift * 1000,
        }[kind]
        return [draw() for _ in range(n)]

    KINDS = ['normal', 'normal', 'decimal', 'decimal', 'likert', 'binary', 'offset', 'tiny', 'huge', 'heavy', 'constant', 'zeros', 'far']

    def dirty(self, xs):
        if xs and self.r.random() < 0.02:
            xs = list(xs); xs[self.r.randrange(len(xs))] = self.r.choice([math.nan, INF, -INF])
        return xs

    def o(self, **extra):
        r = self.r
        o = {'alternative': r.choice(['two-sided', 'greater', 'less']), 'confidenceLevel': r.choice([0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 0.999999])}
        return {**{k: v for k, v in o.items() if r.random() < 0.7}, **extra}

    def two(self, least=1):
        k = self.r.choice(self.KINDS)
        return {'a': self.dirty(self.column(max(least, self.n()), k, self.r.choice([0, 0, .3, 1, 8]))), 'b': self.dirty(self.column(max(least, self.n()), k))}

    def pairs(self):
        k, n = self.r.choice(self.KINDS), self.n()
        b = self.column(n, k)
        how = self.r.random()
        if how < .4: a = [x + y for x, y in zip(b, self.column(n, self.r.choice(['normal', 'likert']), self.r.choice([0, 0, .3, 1, 8])))]
        elif how < .7: a = [round(x + self.r.choice([-.02, -.01, 0, 0, .01, .02, .03]), 2) for x in b]
        else: a = self.column(n, k, self.r.choice([0, .2, 1]))
        if self.r.random() < .02: a = a[:-1]
        return {'a': self.dirty(a), 'b': self.dirty(b)}

    def scores(self, low, high):
        return [self.r.randint(low, high) for _ in range(self.n())]

    def case(self, test):
        r = self.r
        if test == 'paired-t':
            u = r.random()
            o = self.o(**({'mu': r.choice([0, .5, -1])} if r.random() < .3 else {}))
            if u < .6: return self.pairs(), o
            if u < .8: return {'differences': self.dirty(self.column(self.n(), r.choice(self.KINDS), r.choice([0, 1, 9])))}, o
            return {'n': r.choice([1, 2, 3, 10, 1000, 10 ** 6, 10 ** 9]), 'meanDifference': r.gauss(0, r.choice([.001, .1, 1, 30])), 'sdDifference': r.choice([0, 1e-9, .5, 1, 20])}, o
        if test == 'wilcoxon-signed-rank':
            i = self.pairs() if r.random() < .6 else {'differences': self.dirty(self.column(self.n(), r.choice(self.KINDS), r.choice([0, .5, 9])))}
            return i, self.o(zeroMethod=r.choice(['wilcox', 'pratt', 'zsplit']), method=r.choice(['auto', 'auto', 'exact', 'asymptotic']), continuity=r.random() < .6)
        if test == 'mann-whitney-u':
            o = self.o(method=r.choice(['auto', 'auto', 'exact', 'asymptotic']), continuity=r.random() < .6); o.pop('confidenceLevel', None)
            return self.two(), o
        if test == 'ks-two-sample': return self.two(), {'method': r.choice(['auto', 'exact', 'asymptotic'])}
        if test == 'welch-t':
            if r.random() < .7: return self.two(), self.o()
            arm = lambda: {'n': r.choice([1, 2, 5, 100, 10 ** 6, 10 ** 9]), 'mean': r.gauss(0, r.choice([.01, 1, 50])), 'variance': r.choice([0, 1e-12, .5, 3, 1e6])}
            return {'a': arm(), 'b': arm()}, self.o()
        if test in ('relative-lift',): return self.two(), self.o()
        if test == 'winsorised-mean-difference': return self.two(), self.o(lower=r.choice([0, .01, .05, .25]), upper=r.choice([.75, .95, .99, 1]))
        if test == 'quantile-difference': return self.two(least=r.choice([1, 90, 90, 90])), self.o(quantile=r.choice([.1, .25, .5, .75, .9, .95]))
        if test == 'quantile-ci': return {'x': self.dirty(self.column(self.n(), r.choice(self.KINDS)))}, {'quantile': r.choice([.05, .5, .9, .95, .99]), 'confidenceLevel': r.choice([.5, .9, .95, .99])}
        if test == 'two-proportion':
            def arm():
                n = r.choice([0, 1, 2, 10, 300, 10 ** 6, 10 ** 9, 10 ** 12]); p = r.choice([0, 1, 1e-6, .01, .3, .301, .5, .99]); return {'successes': min(n, max(0, round(n * p + r.gauss(0, 1) * math.sqrt(n * p * (1 - p))))), 'n': n}
            return {'a': arm(), 'b': arm()}, self.o(ciMethod=r.choice(['newcombe', 'wald', 'agresti-caffo']), pooled=r.random() < .7, continuity=r.random() < .4)
        if test == 'chi-square':
            rows, cols, big = r.choice([(2, 2), (2, 2), (2, 3), (3, 4), (5, 2)]) + (r.choice([3, 30, 10 ** 4, 10 ** 9]),)
            return {'table': [[r.randint(0, big) for _ in range(cols)] for _ in range(rows)]}, {'yates': (rows, cols) == (2, 2) and r.random() < .5}
        if test == 'srm':
            k = r.choice([1, 2, 2, 3, 5]); big = r.choice([0, 10, 1000, 10 ** 6, 10 ** 10])
            return {'observed': [r.randint(big // 2, big) for _ in range(k)], 'weights': [r.choice([0, 1, 1, 2, .5, 60, 30]) for _ in range(k)]}, {'threshold': r.choice([.001, .01])}
        if test == 'multiple-comparisons': return {'pValues': [r.choice([0.0, 1.0, r.random(), r.random() ** 6, 10 ** -r.uniform(0, 300)]) for _ in range(r.randint(0, 30))]}, {'method': r.choice(['bh', 'by', 'holm', 'bonferroni']), 'alpha': r.choice([.05, .1])}
        if test == 'cuped':
            k = r.choice(self.KINDS)
            def arm():
                n = self.n(); pre = self.column(n, k); rho = r.choice([0, .5, 1]); return {'pre': self.dirty(pre), 'post': [rho * x + y for x, y in zip(pre, self.column(n, k))]}
            return {'a': arm(), 'b': arm()}, self.o()
        if test == 'ratio-metric':
            def arm():
                n = self.n(); d = [r.randint(0, 12) for _ in range(n)]; return {'numerator': self.dirty([x * r.random() * r.choice([1, 1, 1e6]) for x in d]), 'denominator': d}
            return {'a': arm(), 'b': arm()}, self.o()
        if test == 'asymptotic-confidence-sequence': return {'n': r.choice([0, 1, 2, 50, 10 ** 4, 10 ** 9]), 'estimate': r.gauss(0, r.choice([.01, 1, 40])), 'standardError': r.choice([0, 1e-6, .01, 1, 30])}, {'alpha': r.choice([1e-6, .01, .05, .2]), 'tuningParameter': r.choice([10, 1000, 5000, 10 ** 6]), 'alternative': r.choice(['two-sided', 'greater', 'less'])}
        if test == 'msprt':
            n, looks = 0, []
            effect = r.choice([0, .1, 1, 5])
            for _ in range(r.randint(1, 12)):
                n += r.randint(10, 500); looks.append({'nA': n, 'meanA': 10 + effect + r.gauss(0, 1) / math.sqrt(n), 'varianceA': r.uniform(.5, 2), 'nB': n, 'meanB': 10 + r.gauss(0, 1) / math.sqrt(n), 'varianceB': r.uniform(.5, 2)})
            return {'looks': looks}, {'tauSquared': r.choice([1e-4, .01, 1]), 'alpha': .05}
        if test == 'power':
            d = {'design': r.choice(['paired-t', 'welch-t']), 'alpha': r.choice([.01, .05, .1]), 'effectSize': r.choice([.05, .2, .5, .8]), 'n': r.choice([5, 12, 40, 150])}
            if d['design'] == 'welch-t' and r.random() < .5: d['ratio'] = r.choice([.5, 2, 3])
            return d, {'solve': 'power', 'alternative': r.choice(['two-sided', 'greater'])}
        if test == 'dynamic-threshold':
            s = self.column(max(12, self.n()), r.choice(['normal', 'offset', 'heavy', 'likert']))
            if r.random() < .5: s[5] = 1e15
            w = r.choice([3, 5, 10]); return {'series': self.dirty(s)}, {'window': w, 'k': r.choice([0, 2, 3]), 'minPeriods': r.randint(2, w)}
        if test == 'ewma': return {'series': self.dirty(self.column(self.n(), r.choice(['normal', 'offset', 'decimal'])))}, {**r.choice([{'alpha': .3}, {'span': 10}, {'halfLife': 4}, {'alpha': 1}]), 'adjust': r.random() < .5}
        if test == 'nps': return {'scores': self.scores(0, 10)}, {'confidenceLevel': r.choice([.9, .95, .99])}
        if test == 'nps-difference': return {'a': self.scores(0, 10), 'b': self.scores(r.choice([0, 9]), 10)}, self.o()
        if test == 'csat': return {'scores': self.scores(1, 5)}, {'satisfiedFrom': 4, 'scaleMax': 5, 'confidenceLevel': r.choice([.9, .95, .99])}
        if test == 'box-plot': return {'x': self.dirty(self.column(self.n(), r.choice(self.KINDS)))}, {'whiskerK': r.choice([1.5, 3])}
        if test == 'moments-merge':
            k = r.choice(self.KINDS); return {'chunks': [self.dirty(self.column(r.choice([0, 1, 2, 9]), k)) for _ in range(r.randint(0, 5))]}, {}
        df = r.choice([.5, 1, 2, 3.7, 10, 100, 999, 2999.5, 1e5, 1e8, 1e15])
        fn = r.choice(['studentT.sf', 'studentT.cdf', 'studentT.quantile', 'normal.sf', 'normal.cdf', 'normal.quantile', 'chiSquare.sf'])
        x = r.choice([0, 1e-9, 1e-3, .5, r.uniform(0, 6), r.uniform(0, 38)]) * r.choice([-1, 1])
        p = r.choice([1e-300, 1e-100, 1e-15, 1e-8, .001, .3, .49999, .7, .99, 1 - 1e-9, r.random()])
        args = {'studentT.sf': [x, df], 'studentT.cdf': [x, df], 'studentT.quantile': [p, df], 'normal.sf': [x], 'normal.cdf': [x], 'normal.quantile': [p], 'chiSquare.sf': [abs(x) * r.choice([1, 10, 30]), min(df, 3000)]}[fn]
        return {'fn': fn, 'args': args}, {}


REFERENCE = {
    'paired-t': paired_t, 'welch-t': welch, 'wilcoxon-signed-rank': wilcoxon, 'mann-whitney-u': mann_whitney, 'ks-two-sample': ks, 'two-proportion': two_proportion, 'chi-square': chi_square,
    'srm': srm, 'multiple-comparisons': adjust, 'cuped': cuped, 'ratio-metric': ratio, 'relative-lift': lift, 'winsorised-mean-difference': winsor, 'quantile-difference': quantile_difference,
    'quantile-ci': quantile_ci, 'asymptotic-confidence-sequence': acs, 'msprt': msprt, 'power': power, 'dynamic-threshold': threshold, 'ewma': ewma, 'nps': nps, 'nps-difference': nps_difference,
    'csat': csat, 'box-plot': box, 'moments-merge': merge, 'distribution': dist,
}


# Comparing

def plain(v):
    if isinstance(v, float) and not math.isfinite(v): return 'NaN' if v != v else 'Infinity' if v > 0 else '-Infinity'
    if isinstance(v, list): return [plain(x) for x in v]
    return {k: plain(x) for k, x in v.items()} if isinstance(v, dict) else v

def differences(expected, actual, path, worst):
    if isinstance(expected, dict):
        return [d for k, v in expected.items() for d in differences(v, (actual or {}).get(k) if isinstance(actual, dict) else None, f'{path}.{k}', worst)]
    if isinstance(expected, (list, tuple)):
        if not isinstance(actual, list) or len(actual) != len(expected): return [f'{path}: {actual} instead of a list of {len(expected)}']
        return [d for k, v in enumerate(expected) for d in differences(v, actual[k], f'{path}[{k}]', worst)]
    if expected is None or isinstance(expected, (str, bool, np.bool_)):
        return [] if actual == (bool(expected) if isinstance(expected, np.bool_) else expected) else [f'{path}: expected {expected}, got {actual}']
    got = {'Infinity': INF, '-Infinity': -INF}.get(actual, actual) if isinstance(actual, str) else actual
    if not isinstance(got, (int, float)) or isinstance(got, bool): return [f'{path}: expected {mp.nstr(mp.mpf(expected), 17)}, got {actual}']
    e = mp.mpf(expected)
    if mp.isinf(e) or math.isinf(got): return [] if got == e else [f'{path}: expected {e}, got {got}']
    isp = path.endswith('pValue') or path.endswith('.value') or '.pValue[' in path
    rel, tol_abs = (1e-8, 0) if isp else (1e-9, 1e-12)
    if path.endswith('.value'): rel = 1e-10
    if path.endswith('.power'): rel, tol_abs = 1e-7, 1e-9
    if isp and e < 1e-305: rel, tol_abs = 1e-3, 5e-324
    err = abs(mp.mpf(got) - e)
    r = float(err / abs(e)) if e else 0.0
    if err > tol_abs and r > worst.get(path.split('[')[0], (0,))[0]: worst[path.split('[')[0]] = (r, float(e))
    return [] if err <= tol_abs + rel * abs(e) else [f'{path}: expected {mp.nstr(e, 17)}, got {got!r}']

def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--cases', type=int, default=4000); ap.add_argument('--seed', type=int, default=1); ap.add_argument('--show', type=int, default=20); ap.add_argument('--only')
    args = ap.parse_args()
    gen = Gen(args.seed)
    tests = [args.only] if args.only else list(REFERENCE)
    cases = []
    for k in range(args.cases):
        test = tests[k % len(tests)]
        i, o = gen.case(test)
        try: expected = REFERENCE[test](i, o)
        except Refused as why: expected = {'error': str(why)}
        cases.append(({'test': test, 'input': plain(i), 'options': o}, expected))
    run = subprocess.run(['node', os.path.join(ROOT, 'bin', 'assay.cjs'), 'stat'], input='\n'.join(json.dumps(c) for c, _ in cases), capture_output=True, text=True, check=True)
    results = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(results) == len(cases), (len(results), len(cases))
    worst, bad, per = {}, [], {}
    for (case, expected), actual in zip(cases, results):
        w = worst.setdefault(case['test'], {})
        found = differences(expected, actual, '', w)
        n = per.setdefault(case['test'], [0, 0, 0]); n[0] += 1; n[1] += 'error' in expected; n[2] += bool(found)
        if found: bad.append((case, expected, actual, found))
    for test in tests:
        n, refused, wrong = per[test]
        top = max(worst[test].items(), key=lambda kv: kv[1][0], default=(None, (0, 0)))
        print(f'{test:34} {n:5} cases {refused:4} refusals {wrong:4} wrong   worst relative error {top[1][0]:.1e} {top[0] or ""} (of {top[1][1]:.3g})')
    for case, expected, actual, found in bad[:args.show]:
        print('\n' + json.dumps(case)[:500]); print('  ' + '\n  '.join(found[:4])); print('  got', json.dumps(actual)[:300])
    print(json.dumps({'cases': len(cases), 'wrong': len(bad), 'seed': args.seed}))
    sys.exit(1 if bad else 0)

main()
