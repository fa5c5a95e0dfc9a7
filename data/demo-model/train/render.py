# SPDX-License-Identifier: MIT
"""Scenes of the demo world and their first renderer (Pillow).

A scene is a plain description (size, background, objects with polygons or words) sampled from a seed; `draw` turns it into pixels and
adds the exact boxes.  `scenes_cairo.py` draws the same descriptions with another library.  `views` cuts a picture into tiles exactly as
the DeepSeek-VL2 processor does and attaches the dense labels that `train.py` supervises the vision tower with.

As a program it writes PNGs and one JSON line per question:  render.py --seed 7 --count 20 --out DIR --json
Needs: numpy, Pillow, and the DejaVu, Liberation and URW fonts of Debian (fonts-dejavu-core, fonts-liberation, gsfonts).
"""
import argparse
import functools
import json
import math
import os

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

TILE = 92
PATCH = 10
GRID = TILE // PATCH
CANDIDATES = [(1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (2, 2), (1, 4), (4, 1)]

COLORS = {
    "red": (222, 38, 38), "orange": (246, 138, 24), "yellow": (246, 222, 44), "green": (44, 164, 66), "cyan": (58, 208, 220),
    "blue": (42, 84, 214), "purple": (132, 52, 176), "pink": (246, 138, 190), "black": (24, 24, 26), "white": (250, 250, 248),
}
COLOR_NAMES = list(COLORS)
SHAPES = ["circle", "square", "triangle", "star", "heart", "cross", "ring", "moon"]
TEXT_CLASS = len(SHAPES)
CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

WORDS = """GO UP NO YES ON OFF IN OUT CAT DOG SUN MAP KEY BOX CUP HAT JAR FOX BEE ANT OWL PIG COW EGG ICE TEA PEN CAR BUS VAN JET TOP
RED BLUE PINK GOLD OPEN STOP EXIT PUSH PULL WAIT SLOW FAST HELP LEFT RIGHT NORTH SOUTH EAST WEST HOME ROAD PARK BANK SHOP CAFE HOTEL
TAXI TRAIN PLANE BOAT SHIP BIKE FISH BIRD FROG DUCK GOAT BEAR WOLF LION TIGER ZEBRA HORSE SHEEP MOUSE SNAKE APPLE LEMON MANGO GRAPE
PEACH PLUM PEAR MILK BREAD SUGAR SALT RICE SOUP CAKE PIZZA WATER JUICE COFFEE TREE LEAF ROSE GRASS STONE RIVER LAKE SEA HILL CLOUD
RAIN SNOW WIND STORM MOON STAR EARTH MARS SPACE ROBOT CODE DATA DISK FILE BOOK PAGE WORD NAME LIST TABLE CHAIR LAMP DOOR WALL FLOOR
ROOF BRICK WOOD IRON STEEL GLASS PAPER PAINT BRUSH PHOTO VIDEO MUSIC PIANO DRUM FLUTE VOICE SOUND QUIET HELLO WORLD PEACE LOVE HAPPY
SMILE LAUGH DREAM SLEEP NIGHT LIGHT DARK MORNIN SUMMER WINTER SPRING AUTUMN JUNE JULY MARCH APRIL MAY ONE TWO THREE FOUR FIVE SIX
SEVEN EIGHT NINE TEN ZERO FIRST LAST NEXT BACK FRONT INSIDE MARKET SCHOOL GARDEN BRIDGE CASTLE ISLAND FOREST DESERT PLANET ROCKET
WINDOW MIRROR PENCIL LETTER NUMBER CIRCLE SQUARE ORANGE PURPLE YELLOW SILVER BANANA CHERRY TOMATO POTATO CARROT PEPPER BUTTER CHEESE
HONEY KITE BALL GAME CHESS DICE CARD COIN BANK MONEY PRICE SALE FREE NEW OLD BIG HOT COLD WARM COOL DRY WET SOFT HARD QUICK JUMP RUN
WALK SWIM FLY DIVE KICK THROW CATCH VIEW LOOK SEE HEAR FEEL TASTE THINK KNOW ASK TELL SAY READ WRITE DRAW BUILD MAKE FIX CUT MIX""".split()

FONT_DIRS = ("/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/truetype/liberation", "/usr/share/fonts/X11/Type1")
FONTS = ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSansMono-Bold.ttf",
         "LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf", "LiberationSerif-Bold.ttf", "LiberationMono-Bold.ttf"]


@functools.lru_cache(maxsize=4096)
def font(name, size):
    for folder in FONT_DIRS:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return ImageFont.truetype(path, size)
    raise FileNotFoundError(f"font {name} is not installed (fonts-dejavu-core, fonts-liberation)")


# ---------------------------------------------------------------- geometry

def _circle(n=48, r=1.0):
    t = np.arange(n) * (2 * math.pi / n)
    return np.stack([np.cos(t), np.sin(t)], 1) * r


def _star():
    t = -math.pi / 2 + np.arange(10) * (math.pi / 5)
    r = np.where(np.arange(10) % 2 == 0, 1.0, 0.43)
    return np.stack([np.cos(t) * r, np.sin(t) * r], 1)


def _heart():
    t = np.linspace(0, 2 * math.pi, 60, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([x, y + 2.5], 1) / 16.5


def _cross(a=0.34):
    return np.array([(-a, -1), (a, -1), (a, -a), (1, -a), (1, a), (a, a), (a, 1), (-a, 1), (-a, a), (-1, a), (-1, -a), (-a, -a)], float) * 0.95


def _moon():
    t = np.linspace(math.radians(50), math.radians(310), 40)
    outer = np.stack([np.cos(t), np.sin(t)], 1)
    end = outer[0]
    c, r = 0.42, math.hypot(end[0] - 0.42, end[1])
    a0 = math.atan2(end[1], end[0] - c)
    s = np.linspace(-a0 + 2 * math.pi, a0, 30)
    inner = np.stack([c + r * np.cos(s), r * np.sin(s)], 1)
    return np.concatenate([outer, inner])


BASE = {
    "circle": _circle(), "square": np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], float) * 0.84,
    "triangle": np.array([(math.cos(a), math.sin(a)) for a in (-math.pi / 2, math.pi / 6, 5 * math.pi / 6)]) * 1.08 + np.array([0, 0.12]),
    "star": _star(), "heart": _heart(), "cross": _cross(), "ring": _circle(), "moon": _moon(),
}


def polygon(shape, cx, cy, radius, angle):
    c, s = math.cos(angle), math.sin(angle)
    rot = np.array([[c, s], [-s, c]])
    return BASE[shape] @ rot * radius + (cx, cy)


# ---------------------------------------------------------------- sampling a scene

def grid_of(width, height):
    """(columns, rows) of tiles, by the processor's rule, in its order of double operations."""
    best, best_eff, best_waste = None, 0, float("inf")
    for gw, gh in CANDIDATES:
        w, h = gw * TILE, gh * TILE
        scale = min(w / width, h / height)
        eff = min(int(width * scale) * int(height * scale), width * height)
        waste = w * h - eff
        if eff > best_eff or (eff == best_eff and waste < best_waste):
            best, best_eff, best_waste = (gw, gh), eff, waste
    return best


def sample_size(rng):
    kind = rng.random()
    if kind < 0.28:
        a = math.exp(rng.uniform(-0.65, 0.65))
        side = rng.uniform(66, 92)
        return max(24, round(side if a >= 1 else side * a)), max(24, round(side / a if a >= 1 else side))
    if kind < 0.46:
        gw, gh = ((2, 1), (1, 2))[rng.integers(2)]
        return round(gw * TILE * rng.uniform(0.72, 1.0)), round(gh * TILE * rng.uniform(0.72, 1.0))
    u = rng.random()
    if u < 0.62:
        a = (4 / 3, 3 / 2, 1.0, 16 / 9, 5 / 4, math.exp(rng.uniform(0, 0.65)))[rng.integers(6)]
    else:
        a = math.exp(rng.uniform(0.65, math.log(4.0)))
    side = rng.uniform(150, 270) if rng.random() < 0.85 else rng.uniform(270, 640)
    side *= math.sqrt(max(a / 1.6, 1.0))
    w, h = round(side), max(36, round(side / a))
    return (w, h) if rng.random() < 0.6 else (h, w)


N_WEIGHTS = np.array([12, 16, 16, 14, 12, 9, 7, 5, 3, 2, 2, 2], float)
N_WEIGHTS /= N_WEIGHTS.sum()


def sample_background(rng):
    def shade():
        u = rng.random()
        if u < 0.5:
            v = rng.uniform(195, 255)
            return np.clip(v + rng.normal(0, 10, 3), 0, 255)
        if u < 0.75:
            v = rng.uniform(15, 85)
            return np.clip(v + rng.normal(0, 12, 3), 0, 255)
        return rng.uniform(60, 235, 3)
    first = shade()
    kind = ("plain", "gradient", "noise")[rng.choice(3, p=[0.45, 0.3, 0.25])]
    bg = {"kind": kind, "a": first.tolist(), "b": first.tolist()}
    if kind == "gradient":
        bg["b"] = np.clip(first + rng.uniform(-70, 70, 3), 0, 255).tolist()
        bg["angle"] = float(rng.uniform(0, 2 * math.pi))
    if kind == "noise":
        bg["sigma"] = float(rng.uniform(5, 22))
        bg["cell"] = int(rng.choice([1, 1, 2, 4]))
    return bg


def usable_colors(bg):
    names = []
    for name, rgb in COLORS.items():
        gap = min(np.abs(np.array(bg[k]) - rgb).sum() + np.linalg.norm(np.array(bg[k]) - rgb) for k in "ab")
        if gap > 190:
            names.append(name)
    return names


def random_word(rng):
    u = rng.random()
    if u < 0.42:
        return WORDS[rng.integers(len(WORDS))]
    if u < 0.66:
        return "".join(CHARS[rng.integers(26)] for _ in range(rng.integers(2, 7)))
    digits = rng.choice([1, 2, 3], p=[0.2, 0.4, 0.4])
    return str(int(rng.integers(10 ** (digits - 1) if digits > 1 else 0, 10 ** digits)))


def _free(box, placed, slack):
    x1, y1, x2, y2 = box
    area = (x2 - x1) * (y2 - y1)
    for b in placed:
        iw, ih = min(x2, b[2]) - max(x1, b[0]), min(y2, b[3]) - max(y1, b[1])
        if iw > 0 and ih > 0 and iw * ih > slack * min(area, (b[2] - b[0]) * (b[3] - b[1])):
            return False
        if slack == 0 and iw > -1.5 and ih > -1.5:
            return False
    return True


def _place_texts(rng, texts, width, height, tiled, to_local, names, placed, objects):
    """Words where there is room for them; their boxes go to `placed`."""
    for _ in range(texts):
        word = random_word(rng)
        lo = max(8.5 / to_local, 0.05 * height if not tiled else 0)
        hi = max(lo * 1.05, min(0.34 * height, 1.45 * width / (len(word) + 0.3), 40 / to_local))
        for _ in range(12):
            cap = math.exp(rng.uniform(math.log(lo), math.log(hi)))
            size_px = max(6, round(cap / 0.72))
            name = FONTS[rng.integers(len(FONTS))]
            l, t, r, b = font(name, size_px).getbbox(word)
            tw, th = r - l, b - t
            if tw > width - 4 or th > height - 4:
                hi = max(lo * 1.02, hi * 0.8)
                continue
            x, y = rng.uniform(2, width - 2 - tw), rng.uniform(2, height - 2 - th)
            box = (x, y, x + tw, y + th)
            if _free((x - 2, y - 2, x + tw + 2, y + th + 2), placed, 0):
                color = str(names[rng.integers(len(names))])
                objects.append({"kind": "text", "text": word, "font": name, "size": size_px, "x": int(x), "y": int(y), "color": color,
                                "rgb": _jitter(rng, color)})
                placed.append(box)
                break


def _place_shapes(rng, count, kinds, names, width, height, smallest, slack, placed, objects):
    """Shapes in the room that is left; some may overlap by `slack`."""
    area = width * height
    total = sum((b[2] - b[0]) * (b[3] - b[1]) for b in placed)
    largest = max(smallest * 1.05, min(0.72 * min(width, height), math.sqrt(0.62 * area / max(count, 1.6))))
    for _ in range(count):
        for attempt in range(14):
            shape = str(kinds[rng.integers(len(kinds))])
            d = math.exp(rng.uniform(math.log(smallest), math.log(max(largest * 0.93 ** attempt, smallest * 1.04))))
            if total + d * d > 0.7 * area:
                continue
            upright = rng.random() < 0.4
            spin = 0.0 if upright else float(rng.uniform(-0.6, 0.6) if shape == "heart" else rng.uniform(0, 2 * math.pi))
            p = polygon(shape, 0, 0, d / 2, spin)
            lo, hi = p.min(0), p.max(0)
            scale = d / max(hi - lo)
            p, lo, hi = p * scale, lo * scale, hi * scale
            if hi[0] - lo[0] > width - 2 or hi[1] - lo[1] > height - 2:
                continue
            cx, cy = rng.uniform(1 - lo[0], width - 1 - hi[0]), rng.uniform(1 - lo[1], height - 1 - hi[1])
            box = (cx + lo[0], cy + lo[1], cx + hi[0], cy + hi[1])
            hard = [b for b, o in zip(placed, objects) if o["kind"] == "text"]
            if _free(box, placed, slack) and _free(box, hard, 0):
                color = str(names[rng.integers(len(names))])
                objects.append({"kind": "shape", "shape": shape, "color": color, "rgb": _jitter(rng, color), "points": (p + (cx, cy)).tolist(),
                                "center": [float(cx), float(cy)], "box": [float(v) for v in box]})
                placed.append(box)
                total += d * d
                break


def sample_scene(rng, size=None, count=None, texts=None, marker=False):
    """A scene description; `rng` is a numpy Generator.  Every number in it is in pixels of the original picture."""
    width, height = size or sample_size(rng)
    gw, gh = grid_of(width, height)
    tiled = gw * gh > 1
    to_local = min(gw * TILE / width, gh * TILE / height)
    to_global = min(TILE / width, TILE / height)
    bg = sample_background(rng)
    names = usable_colors(bg)
    while len(names) < 4:
        bg = sample_background(rng)
        names = usable_colors(bg)
    if count is None:
        count = int(rng.choice(12, p=N_WEIGHTS)) + 1
    if texts is None:
        texts = int(rng.choice(4, p=[0.62, 0.24, 0.09, 0.05]))
        if rng.random() < 0.12:
            count, texts = 0, max(texts, 1)
    if rng.random() < 0.45:  # a small palette and few shapes, so that "find all" and "how many" have several answers
        names = list(rng.choice(names, min(len(names), int(rng.integers(2, 4))), replace=False))
        kinds = list(rng.choice(SHAPES, int(rng.integers(1, 4)), replace=False))
    else:
        kinds = SHAPES
    slack = float(rng.choice([0.0, 0.0, 0.0, 0.1]))
    area = width * height
    placed, objects = [], []
    smallest = max(13.0 / to_local, 8.5 / to_global, math.sqrt((0.012 if tiled else 0.03) * area))
    smallest = min(smallest, 0.8 * min(width, height))
    _place_texts(rng, texts, width, height, tiled, to_local, names, placed, objects)
    _place_shapes(rng, count, kinds, names, width, height, smallest, slack, placed, objects)
    scene = {"width": width, "height": height, "background": bg, "objects": objects, "noise_seed": int(rng.integers(1 << 31))}
    shapes = [i for i, o in enumerate(objects) if o["kind"] == "shape"]
    if marker and shapes:
        scene["marker"] = int(rng.choice(shapes))
    return scene


def _jitter(rng, color):
    return [int(v) for v in np.clip(np.array(COLORS[color]) + rng.normal(0, 7, 3), 0, 255)]


# ---------------------------------------------------------------- drawing with Pillow

SS = 4


def draw_background(scene):
    w, h, bg = scene["width"], scene["height"], scene["background"]
    a = np.array(bg["a"], np.float32)
    if bg["kind"] == "plain":
        return Image.new("RGB", (w, h), tuple(int(v) for v in a))
    if bg["kind"] == "gradient":
        dx, dy = math.cos(bg["angle"]), math.sin(bg["angle"])
        t = (np.arange(w, dtype=np.float32) / w - 0.5)[None, :] * dx + (np.arange(h, dtype=np.float32) / h - 0.5)[:, None] * dy
        t = (t - t.min()) / max(float(t.max() - t.min()), 1e-6)
        arr = a + t[..., None] * (np.array(bg["b"], np.float32) - a)
    else:
        c = bg["cell"]
        noise = np.random.default_rng(scene["noise_seed"]).normal(0, bg["sigma"], ((h + c - 1) // c, (w + c - 1) // c, 1)).astype(np.float32)
        arr = a + np.repeat(np.repeat(noise, c, 0), c, 1)[:h, :w]
    return Image.fromarray(np.clip(arr, 0, 255).astype(np.uint8))


def _polygon_mask(points, width, height):
    pts = np.asarray(points)
    x0, y0 = max(0, int(pts[:, 0].min()) - 1), max(0, int(pts[:, 1].min()) - 1)
    x1, y1 = min(width, int(pts[:, 0].max()) + 2), min(height, int(pts[:, 1].max()) + 2)
    mask = Image.new("L", ((x1 - x0) * SS, (y1 - y0) * SS))
    ImageDraw.Draw(mask).polygon([((x - x0) * SS, (y - y0) * SS) for x, y in pts], fill=255)
    return mask, (x0, y0, x1, y1)


def marker_box(scene):
    x1, y1, x2, y2 = scene["objects"][scene["marker"]]["box"]
    pad = 0.03 * max(scene["width"], scene["height"]) + 1
    return (max(0, x1 - pad), max(0, y1 - pad), min(scene["width"] - 1, x2 + pad), min(scene["height"] - 1, y2 + pad))


def draw(scene):
    """(picture, id map): draws the scene and fills in the boxes of its words.  The id map holds 1 + object index."""
    w, h = scene["width"], scene["height"]
    img = draw_background(scene)
    ids = Image.new("L", (w, h))
    for index, o in enumerate(scene["objects"]):
        if o["kind"] == "shape":
            pts = np.asarray(o["points"])
            mask, where = _polygon_mask(pts, w, h)
            full = mask.resize((where[2] - where[0], where[3] - where[1]), Image.BOX)
            shown = full
            if o["shape"] == "ring":
                hole = [((x - where[0]) * SS, (y - where[1]) * SS) for x, y in (pts - o["center"]) * 0.55 + o["center"]]
                ImageDraw.Draw(mask).polygon(hole, fill=0)
                shown = mask.resize(full.size, Image.BOX)
            img.paste(tuple(o["rgb"]), where, shown)
            ids.paste(index + 1, where, full.point(lambda v: 255 if v > 127 else 0))
        else:
            f = font(o["font"], o["size"])
            l, t, r, b = f.getbbox(o["text"])
            ImageDraw.Draw(img).text((o["x"] - l, o["y"] - t), o["text"], font=f, fill=tuple(o["rgb"]))
            o["box"] = [float(o["x"]), float(o["y"]), float(o["x"] + r - l), float(o["y"] + b - t)]
            o["chars"] = []
            for i in range(len(o["text"])):
                left, right = f.getlength(o["text"][:i]), f.getlength(o["text"][:i + 1])
                o["chars"].append([o["x"] - l + left, o["x"] - l + right])
            ImageDraw.Draw(ids).rectangle([int(v) for v in o["box"]], fill=index + 1)
    if "marker" in scene:
        ImageDraw.Draw(img).rectangle(marker_box(scene), outline=(255, 0, 0), width=max(2, round(max(w, h) / 70)))
    return img, ids


# ---------------------------------------------------------------- views, tiles, dense labels

def _contain(w, h, bw, bh):
    if w / h > bw / bh:
        return bw, round(h / w * bw)
    if w / h < bw / bh:
        return round(w / h * bh), bh
    return bw, bh


def placement(w, h, bw, bh):
    """(new width, new height, x offset, y offset) of ImageOps.pad."""
    nw, nh = _contain(w, h, bw, bh)
    return nw, nh, round((bw - nw) * 0.5), round((bh - nh) * 0.5)


def tiles_of(img, grid):
    """u8 [n, 92, 92, 3]: the global view, then the local tiles row by row; only the global view for a 1x1 grid (they are equal)."""
    gw, gh = grid
    out = [np.asarray(ImageOps.pad(img, (TILE, TILE), color=(127, 127, 127)))]
    if gw * gh > 1:
        a = np.asarray(ImageOps.pad(img, (gw * TILE, gh * TILE), color=(127, 127, 127)))
        for i in range(gh):
            for j in range(gw):
                out.append(a[i * TILE:(i + 1) * TILE, j * TILE:(j + 1) * TILE])
    return np.stack(out)


def _cells(view):
    """For each patch of a 92x92 id map: index of the object that covers most of it (at least a fifth), or -1."""
    v = view[:GRID * PATCH, :GRID * PATCH].reshape(GRID, PATCH, GRID, PATCH).transpose(0, 2, 1, 3).reshape(GRID * GRID, -1)
    top = int(v.max())
    if top == 0:
        return np.full(GRID * GRID, -1, np.int8)
    cover = np.stack([(v == k + 1).sum(1) for k in range(top)], 1)
    best = cover.argmax(1)
    return np.where(cover.max(1) >= 20, best, -1).astype(np.int8)


def characters(scene, sx, sy, tx, ty):
    """For the patch halves of one tile the character that they show i8 [81,2], and its place in its word: 8 * (from the left) + (from the
    right), -1 for none."""
    ch, place = np.full((GRID, GRID, 2), -1, np.int8), np.full((GRID, GRID, 2), -1, np.int8)
    for o in scene["objects"]:
        if o["kind"] != "text":
            continue
        y1, y2 = o["box"][1] * sy + ty, o["box"][3] * sy + ty
        rows = [r for r in range(GRID) if min(y2, r * 10 + 10) - max(y1, r * 10) >= min(3.5, 0.35 * (y2 - y1))]
        for i, (c, (cl, cr)) in enumerate(zip(o["text"], o["chars"])):
            a, b = cl * sx + tx, cr * sx + tx
            for half in range(2 * GRID):
                if a <= half * 5 + 2.5 < b:
                    for r in rows:
                        ch[r, half // 2, half % 2] = CHARS.index(c)
                        place[r, half // 2, half % 2] = 8 * i + len(o["text"]) - 1 - i
    return ch.reshape(-1, 2), place.reshape(-1, 2)


def dense_labels(scene, ids, grid):
    """Per tile and patch: object index i8 [n,81], characters in the left and right half and their places i8 [n,81,2] (-1 none),
    inside-marker u8 [n,81]; per tile the affine map of picture pixels to tile pixels f32 [n,4] (sx, sy, ox, oy)."""
    w, h = scene["width"], scene["height"]
    oid, chars, places, mark, maps = [], [], [], [], []
    px = (np.arange(GRID) + 0.5) * PATCH
    for level, (gw, gh) in enumerate([(1, 1), grid]):
        if level == 1 and gw * gh == 1:
            break
        nw, nh, ox, oy = placement(w, h, gw * TILE, gh * TILE)
        canvas = np.zeros((gh * TILE, gw * TILE), np.uint8)
        canvas[oy:oy + nh, ox:ox + nw] = np.asarray(ids.resize((nw, nh), Image.NEAREST))
        sx, sy = nw / w, nh / h
        for i in range(gh):
            for j in range(gw):
                tx, ty = ox - j * TILE, oy - i * TILE
                maps.append((sx, sy, tx, ty))
                oid.append(_cells(canvas[i * TILE:(i + 1) * TILE, j * TILE:(j + 1) * TILE]))
                for got, part in zip((chars, places), characters(scene, sx, sy, tx, ty)):
                    got.append(part)
                m = np.zeros((GRID, GRID), np.uint8)
                if "marker" in scene:
                    x1, y1, x2, y2 = marker_box(scene)
                    inx = (px >= x1 * sx + tx) & (px <= x2 * sx + tx)
                    iny = (px >= y1 * sy + ty) & (px <= y2 * sy + ty)
                    m[np.ix_(iny, inx)] = 1
                mark.append(m.reshape(-1))
    return np.stack(oid), np.stack(chars), np.stack(places), np.stack(mark), np.array(maps, np.float32)


def scene_rng(seed, index):
    return np.random.default_rng([seed, index])


def make(seed, index, wordy=False, marker_share=0.08):
    """(scene, picture, id map) of one numbered scene; `wordy` ones hold several words and few shapes."""
    rng = scene_rng(seed, index)
    if wordy:
        scene = sample_scene(rng, count=int(rng.integers(0, 4)), texts=int(rng.integers(2, 6)))
    else:
        scene = sample_scene(rng, marker=rng.random() < marker_share)
    img, ids = draw(scene)
    return scene, img, ids


def main():
    import tasks
    ap = argparse.ArgumentParser(description="Writes rendered scenes and questions about them.")
    ap.add_argument("--seed", type=int, required=True)
    ap.add_argument("--count", type=int, default=10)
    ap.add_argument("--out", required=True)
    ap.add_argument("--json", action="store_true", help="also write scenes.jsonl: one line per question")
    ap.add_argument("--max-kb", type=float, default=0, help="skip pictures whose PNG is larger")
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    lines, written, index = [], 0, 0
    while written < a.count:
        scene, img, _ = make(a.seed, index, marker_share=0.0)
        questions = tasks.exam(scene, scene_rng(a.seed + 1000, index))
        index += 1
        name = f"scene-{written:04d}.png"
        path = os.path.join(a.out, name)
        img.save(path, optimize=True)
        if a.max_kb and os.path.getsize(path) > a.max_kb * 1024:
            continue
        for x in questions:
            keys = ("task", "lang", "mode", "prompt", "user", "answer", "expect")
            lines.append(json.dumps({"picture": name, "width": img.width, "height": img.height, **{k: x[k] for k in keys}}, ensure_ascii=False))
        written += 1
    last = os.path.join(a.out, f"scene-{written:04d}.png")
    if os.path.exists(last):
        os.remove(last)
    if a.json:
        with open(os.path.join(a.out, "scenes.jsonl"), "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
