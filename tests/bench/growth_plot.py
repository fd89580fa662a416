"""Draws what `growth` measured: one small chart per quantity, time per token relative to its smallest size, on two logarithmic axes."""
import math
import statistics

WIDTH, HEIGHT, MARGIN = 230, 200, 40
LOW, HIGH = 0.25, 4.0  # of the vertical axis


def height_of(ratio):
    return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * math.log(ratio / LOW) / math.log(HIGH / LOW)


def text(x, y, words, anchor="middle"):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{words}</text>'


def points_of(by_size):
    """(size, median, least, most), relative to the smallest size's median."""
    first = statistics.median(next(iter(by_size.values()))["us_per_token"])
    for size, found in by_size.items():
        times = [time / first for time in found["us_per_token"]]
        yield int(size), statistics.median(times), min(times), max(times)


def chart(quantity, by_size, left):
    points = list(points_of(by_size))
    smallest, largest = points[0][0], points[-1][0]
    place = [left + MARGIN + (WIDTH - 1.5 * MARGIN) * math.log(size / smallest) / math.log(largest / smallest) for size, *_ in points]
    parts = [text(left + WIDTH / 2, 18, f"time per token by {quantity}")]
    for ratio in (0.25, 0.5, 1, 2, 4):
        y = height_of(ratio)
        parts.append(f'<line x1="{left + MARGIN}" y1="{y:.0f}" x2="{left + WIDTH - 10}" y2="{y:.0f}" stroke="#ccc"/>')
        parts.append(text(left + MARGIN - 4, y + 4, f"{ratio:g}", "end"))
    line = " ".join(f"{x:.0f},{height_of(median):.0f}" for x, (_, median, *_) in zip(place, points))
    parts.append(f'<polyline points="{line}" fill="none" stroke="#06c" stroke-width="2"/>')
    for x, (size, median, least, most) in zip(place, points):
        parts.append(f'<line x1="{x:.0f}" y1="{height_of(least):.0f}" x2="{x:.0f}" y2="{height_of(most):.0f}" stroke="#06c"/>')
        parts.append(f'<circle cx="{x:.0f}" cy="{height_of(median):.0f}" r="3" fill="#06c"/>')
        parts.append(text(x, HEIGHT - MARGIN + 16, f"{size // 1000}k" if size >= 1000 else f"{size}"))
    return "\n".join(parts)


def drawing_of(results):
    """An SVG file's content. `results` by quantity and size, as in growth.json."""
    charts = [chart(quantity, by_size, WIDTH * i) for i, (quantity, by_size) in enumerate(results.items())]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH * len(charts)}" height="{HEIGHT}" font-family="sans-serif" font-size="11">\n'
            '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(charts) + "\n</svg>\n")
