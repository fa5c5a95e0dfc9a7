# SPDX-License-Identifier: MIT
"""The second renderer: draws the scene descriptions of render.py with cairo (other anti-aliasing, other text layout, other fonts), so that a
score can be checked on pictures whose pixels training never saw.  Needs: pycairo, numpy, Pillow.
"""
import math

import cairo
import numpy as np
from PIL import Image

from render import marker_box

FACES = {"DejaVuSans": "Nimbus Sans", "DejaVuSerif": "C059", "DejaVuSansMono": "Nimbus Mono PS", "LiberationSans": "Nimbus Sans",
         "LiberationSerif": "Nimbus Roman", "LiberationMono": "Nimbus Mono PS"}


def _color(ctx, rgb):
    ctx.set_source_rgb(*(v / 255 for v in rgb))


def _background(ctx, scene):
    w, h, bg = scene["width"], scene["height"], scene["background"]
    if bg["kind"] == "gradient":
        dx, dy = math.cos(bg["angle"]), math.sin(bg["angle"])
        reach = (abs(w * dx) + abs(h * dy)) / 2
        g = cairo.LinearGradient(w / 2 - dx * reach, h / 2 - dy * reach, w / 2 + dx * reach, h / 2 + dy * reach)
        g.add_color_stop_rgb(0, *(v / 255 for v in bg["a"]))
        g.add_color_stop_rgb(1, *(v / 255 for v in bg["b"]))
        ctx.set_source(g)
    else:
        _color(ctx, bg["a"])
    ctx.paint()
    if bg["kind"] == "noise":
        noise = np.random.default_rng(scene["noise_seed"]).normal(0, bg["sigma"], (h, w, 1))
        rgb = np.clip(np.array(bg["a"]) + noise, 0, 255).astype(np.uint8)
        argb = np.dstack([rgb[..., ::-1], np.full((h, w, 1), 255, np.uint8)]).copy()
        ctx.set_source_surface(cairo.ImageSurface.create_for_data(argb, cairo.FORMAT_RGB24, w, h))
        ctx.paint()


def _path(ctx, points):
    ctx.move_to(*points[0])
    for p in points[1:]:
        ctx.line_to(*p)
    ctx.close_path()


def _word(ctx, o, scene):
    """Draws the word with its ink box's corner where the first renderer puts it, shrunk when it would leave the picture; sets o["box"]."""
    family, bold = o["font"].split(".")[0].split("-")[0], "Bold" in o["font"]
    ctx.select_font_face(FACES[family], cairo.FONT_SLANT_NORMAL, cairo.FONT_WEIGHT_BOLD if bold else cairo.FONT_WEIGHT_NORMAL)
    size = o["size"]
    while True:
        ctx.set_font_size(size)
        e = ctx.text_extents(o["text"])
        if (o["x"] + e.width < scene["width"] - 1 and o["y"] + e.height < scene["height"] - 1) or size < 6:
            break
        size -= 1
    _color(ctx, o["rgb"])
    ctx.move_to(o["x"] - e.x_bearing, o["y"] - e.y_bearing)
    ctx.show_text(o["text"])
    o["box"] = [o["x"], o["y"], o["x"] + e.width, o["y"] + e.height]


def draw(scene):
    """The picture as a Pillow RGB image; boxes of words in `scene` are replaced by this renderer's."""
    w, h = scene["width"], scene["height"]
    surface = cairo.ImageSurface(cairo.FORMAT_RGB24, w, h)
    ctx = cairo.Context(surface)
    _background(ctx, scene)
    for o in scene["objects"]:
        if o["kind"] == "text":
            _word(ctx, o, scene)
            continue
        _color(ctx, o["rgb"])
        points = np.asarray(o["points"])
        _path(ctx, points)
        if o["shape"] == "ring":
            ctx.set_fill_rule(cairo.FILL_RULE_EVEN_ODD)
            _path(ctx, (points - o["center"]) * 0.55 + o["center"])
        ctx.fill()
        ctx.set_fill_rule(cairo.FILL_RULE_WINDING)
    if "marker" in scene:
        x1, y1, x2, y2 = marker_box(scene)
        ctx.set_source_rgb(1, 0, 0)
        ctx.set_line_width(max(2, round(max(w, h) / 70)))
        ctx.rectangle(x1, y1, x2 - x1, y2 - y1)
        ctx.stroke()
    surface.flush()
    pixels = np.ndarray((h, surface.get_stride() // 4, 4), np.uint8, surface.get_data())[:, :w, 2::-1]
    return Image.fromarray(np.ascontiguousarray(pixels))
