# SPDX-License-Identifier: MIT
"""Questions about a scene and their exact answers, in English and Chinese.

`ask(scene, rng)` returns one question: {"task", "lang", "mode", "prompt", "user", "answer", "expect"}.  `user` is the text of the user turn
as the engine sees it (grounding tokens included), `prompt` what a person types in that mode, `expect` what `evaluate.py` checks.
"""
import render as R
from scoring import COLOR_ZH, SHAPE_ZH

EN, ZH = "en", "zh"
PLURAL = {"circle": "circles", "square": "squares", "triangle": "triangles", "star": "stars", "heart": "hearts", "cross": "crosses",
          "ring": "rings", "moon": "moons", "shape": "shapes", "word": "words", "number": "numbers"}
NOUN_ZH = {**SHAPE_ZH, "shape": "图形", "word": "单词", "number": "数字"}
REFUSE = {EN: "I only know coloured shapes and short words.", ZH: "我只认识彩色图形和短单词。"}
HELLO = {EN: "Hello! I know coloured shapes and short words.", ZH: "你好！我认识彩色图形和短单词。"}
NO_PICTURE = {EN: "There is no picture. Please add one.", ZH: "没有图片。请添加一张。"}
NO_TEXT = {EN: "There is no text in the picture.", ZH: "图中没有文字。"}
BOTH = {EN: "The picture shows ", ZH: "图中有"}


def article(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def coord(value, size):
    return min(999, max(0, round(value / size * 999)))


def box999(scene, o):
    w, h = scene["width"], scene["height"]
    x1, y1, x2, y2 = o["box"]
    return [coord(x1, w), coord(y1, h), coord(x2, w), coord(y2, h)]


def det(scene, objects):
    ordered = sorted(objects, key=lambda o: (box999(scene, o)[0], box999(scene, o)[1]))
    inner = ", ".join("[" + ", ".join(map(str, box999(scene, o))) + "]" for o in ordered)
    return f"<|det|>[{inner}]<|/det|>"


def noun_of(o):
    if o["kind"] == "shape":
        return o["shape"]
    return "number" if o["text"].isdigit() else "word"


def name(color, noun, lang, count=1):
    """"red circle", "2 red circles", "红色的圆形", "2个红色的圆形"; color may be None."""
    if lang == ZH:
        base = (COLOR_ZH[color] + "的" if color else "") + NOUN_ZH[noun]
        return base if count == 1 else f"{count}个{base}"
    base = (color + " " if color else "") + (noun if count == 1 else PLURAL[noun])
    return base if count == 1 else f"{count} {base}"


def matches(o, color, noun):
    if color and o["color"] != color:
        return False
    if noun == "shape":
        return o["kind"] == "shape"
    return noun is None or noun_of(o) == noun


def area(o):
    x1, y1, x2, y2 = o["box"]
    return (x2 - x1) * (y2 - y1)


def mid(o):
    x1, y1, x2, y2 = o["box"]
    return (x1 + x2) / 2, (y1 + y2) / 2


SUPER = {  # key: (English, Chinese prefix, sort key, True when the greatest wins)
    "largest": (("largest", "biggest"), ("最大的",), area, True), "smallest": (("smallest",), ("最小的",), area, False),
    "leftmost": (("leftmost",), ("最左边的",), lambda o: mid(o)[0], False), "rightmost": (("rightmost",), ("最右边的",), lambda o: mid(o)[0], True),
    "topmost": (("topmost", "top"), ("最上面的",), lambda o: mid(o)[1], False),
    "bottommost": (("bottommost", "bottom"), ("最下面的",), lambda o: mid(o)[1], True),
}
RELATION = {"left": (("left of", "to the left of"), "左边"), "right": (("right of", "to the right of"), "右边"),
            "above": (("above",), "上面"), "below": (("below", "under"), "下面")}


def best_by(scene, objects, key):
    """The object that wins `key` by a clear margin, or None."""
    if len(objects) < 2:
        return None
    _, _, measure, greatest = SUPER[key]
    order = sorted(objects, key=measure, reverse=greatest)
    a, b = measure(order[0]), measure(order[1])
    if key in ("largest", "smallest"):
        return order[0] if max(a, b) > 1.45 * min(a, b) else None
    span = scene["width"] if key in ("leftmost", "rightmost") else scene["height"]
    return order[0] if abs(a - b) > 0.08 * span else None


def related(scene, ref, where, objects):
    """The only object on that side of `ref`; None when there is none, several, or a doubtful one."""
    rx, ry = mid(ref)
    inside, doubtful = [], 0
    for o in objects:
        if o is ref:
            continue
        x, y = mid(o)
        dx, dy = (x - rx) / scene["width"], (y - ry) / scene["height"]
        d = {"left": -dx, "right": dx, "above": -dy, "below": dy}[where]
        if d > 0.1:
            inside.append(o)
        elif d > 0.0:
            doubtful += 1
    return inside[0] if len(inside) == 1 and not doubtful else None


def pick(rng, seq):
    return seq[int(rng.integers(len(seq)))]


def shapes_of(scene):
    return [o for o in scene["objects"] if o["kind"] == "shape"]


def texts_of(scene):
    return [o for o in scene["objects"] if o["kind"] == "text"]


def target(scene, rng, lang, absent=0.0):
    """A referring expression: (text without article, objects it names, canonical singular name).  May name nothing."""
    shapes, texts = shapes_of(scene), texts_of(scene)
    u = rng.random()
    if rng.random() < absent or not scene["objects"]:
        color, noun = pick(rng, R.COLOR_NAMES + [None]), pick(rng, R.SHAPES)
        if shapes and rng.random() < 0.5:  # a near miss: one attribute is there
            o = pick(rng, shapes)
            color, noun = (o["color"], noun) if rng.random() < 0.5 else (pick(rng, R.COLOR_NAMES), o["shape"])
        n = name(color, noun, lang)
        return n, [o for o in shapes if matches(o, color, noun)], n
    if shapes and u < 0.42:
        o = pick(rng, shapes)
        n = name(o["color"], o["shape"], lang)
        return n, [p for p in shapes if matches(p, o["color"], o["shape"])], n
    if shapes and u < 0.56:
        o = pick(rng, shapes)
        n = name(None, o["shape"], lang)
        return n, [p for p in shapes if matches(p, None, o["shape"])], n
    if shapes and u < 0.64:
        o = pick(rng, shapes)
        n = name(o["color"], "shape", lang)
        return n, [p for p in shapes if matches(p, o["color"], "shape")], n
    if len(shapes) > 1 and u < 0.80:
        for _ in range(4):
            key = pick(rng, list(SUPER))
            noun = pick(rng, shapes)["shape"] if rng.random() < 0.35 else "shape"
            o = best_by(scene, [p for p in shapes if matches(p, None, noun)], key)
            if o:
                en, zh, _, _ = SUPER[key]
                return (pick(rng, zh) + NOUN_ZH[noun] if lang == ZH else f"{pick(rng, en)} {noun}"), [o], name(None, noun, lang)
    if len(shapes) > 1 and u < 0.92:
        for _ in range(6):
            ref, where = pick(rng, shapes), pick(rng, list(RELATION))
            plain = len([p for p in shapes if p["shape"] == ref["shape"]]) == 1
            full = len([p for p in shapes if p["shape"] == ref["shape"] and p["color"] == ref["color"]]) == 1
            o = related(scene, ref, where, shapes)
            if o and full:
                n = name(None if plain and rng.random() < 0.6 else ref["color"], ref["shape"], lang)
                en, zh = RELATION[where]
                return (f"{n}{zh}的图形" if lang == ZH else f"shape {pick(rng, en)} the {n}"), [o], name(None, "shape", lang)
    if texts:
        o = pick(rng, texts)
        noun = noun_of(o)
        if rng.random() < 0.6:
            n = name(None, noun, lang)
            same = [p for p in texts if p["text"] == o["text"]]
            return (f"{n}{o['text']}" if lang == ZH else f"{n} {o['text']}"), same, n
        if rng.random() < 0.5:
            return ("文字" if lang == ZH else "text"), texts, "文字" if lang == ZH else "text"
        n = name(o["color"], noun, lang)
        return n, [p for p in texts if matches(p, o["color"], noun)], n
    o = pick(rng, shapes)
    n = name(o["color"], o["shape"], lang)
    return n, [p for p in shapes if matches(p, o["color"], o["shape"])], n


def none_of(n, lang):
    return f"图中没有{n}。" if lang == ZH else f"There is no {n} in the picture."


def q(task, lang, mode, prompt, user, answer, about=None, counted=None, **expect):
    """`about` is the one object that the answer speaks of, `counted` those that it counts (training points the attention at them)."""
    return {"task": task, "lang": lang, "mode": mode, "prompt": prompt, "user": user, "answer": answer, "about": about, "counted": counted,
            "expect": expect}


def found(scene, label, objects, canonical, lang):
    return f"<|ref|>{label}<|/ref|>{det(scene, objects)}" if objects else none_of(canonical, lang)


def locate(scene, rng, lang):
    text, objects, canonical = target(scene, rng, lang, absent=0.13)
    label = text if lang == ZH or rng.random() < 0.4 else "the " + text
    if rng.random() < 0.1:
        label += "。" if lang == ZH else "."
    elif lang == EN and rng.random() < 0.06:
        label = label[0].upper() + label[1:]
    user = f"<|ref|>{label}<|/ref|>"
    if rng.random() < 0.12:
        user += "。" if lang == ZH else "."
    task = "absent" if not objects else "locate" if len(objects) == 1 else "findall"
    return q(task, lang, "find", label, user, found(scene, label, objects, canonical, lang),
             boxes=[box999(scene, o) for o in objects], label=label)


def find_all(scene, rng, lang):
    shapes = shapes_of(scene)
    if not shapes:
        return locate(scene, rng, lang)
    if rng.random() < 0.1:
        color, noun = pick(rng, R.COLOR_NAMES), pick(rng, R.SHAPES)
    else:
        o = pick(rng, shapes)
        color, noun = pick(rng, [(o["color"], o["shape"]), (o["color"], o["shape"]), (None, o["shape"]), (o["color"], "shape"), (None, "shape")])
    objects = [p for p in shapes if matches(p, color, noun)]
    single = name(color, noun, lang)
    if lang == ZH:
        label = pick(rng, [single, "所有" + single])
        user = pick(rng, [f"找出所有的<|ref|>{label}<|/ref|>", f"<|ref|>{label}<|/ref|>", f"找出<|ref|>{label}<|/ref|>"])
    else:
        plural = (color + " " if color else "") + PLURAL[noun]
        label = pick(rng, [plural, plural, "all " + plural, "the " + plural])
        user = pick(rng, [f"Find all the <|ref|>{label}<|/ref|>", f"<|ref|>{label}<|/ref|>", f"Find <|ref|>{label}<|/ref|>"])
        if rng.random() < 0.15:
            user += "."
    return q("findall" if objects else "absent", lang, "find", label, user, found(scene, label, objects, single, lang),
             boxes=[box999(scene, o) for o in objects], label=label)


def many(n, color, noun, lang):
    """The sentence that states a count."""
    if n == 0:
        return none_of(name(color, noun, lang), lang)
    if lang == ZH:
        return f"图中有{n}个{name(color, noun, lang)}。"
    return f"There is 1 {name(color, noun, lang)}." if n == 1 else f"There are {name(color, noun, lang, n)}."


def count(scene, rng, lang):
    objects = scene["objects"]
    if objects and rng.random() < 0.88:
        o = pick(rng, objects)
        noun = noun_of(o)
        options = [(o["color"], noun), (None, noun)]
        if o["kind"] == "shape":
            options += [(o["color"], "shape"), (None, "shape"), (None, "shape")]
        color, noun = pick(rng, options)
    else:
        color, noun = pick(rng, R.COLOR_NAMES + [None]), pick(rng, R.SHAPES + ["word", "number"])
    hits = [o for o in objects if matches(o, color, noun)]
    if lang == ZH:
        n = name(color, noun, lang)
        user = pick(rng, [f"有几个{n}？", f"图中有多少个{n}？", f"有多少个{n}?", f"数一数{n}。"])
    else:
        plural = (color + " " if color else "") + PLURAL[noun]
        user = pick(rng, [f"How many {plural} are there?", f"How many {plural} are in the picture?", f"How many {plural} do you see?",
                          f"Count the {plural}.", f"how many {plural}?", f"How many {plural} are in the image?"])
    if hits and rng.random() < 0.12:
        if lang == ZH:
            answer = f"图中有<|ref|>{len(hits)}个{name(color, noun, lang)}<|/ref|>{det(scene, hits)}。"
        else:
            verb = "is" if len(hits) == 1 else "are"
            label = name(color, noun, lang, len(hits)) if len(hits) > 1 else "1 " + name(color, noun, lang)
            answer = f"There {verb} <|ref|>{label}<|/ref|>{det(scene, hits)}."
        return q("ground", lang, "ground", user, "<|grounding|>" + user, answer, boxes=[box999(scene, o) for o in hits])
    return q("count", lang, "chat", user, user, many(len(hits), color, noun, lang), counted=hits, n=len(hits))


def color_of(scene, rng, lang):
    shapes = shapes_of(scene)
    for _ in range(5):
        text, objects, _ = target(scene, rng, lang)
        if len(objects) == 1 and not any(c in text for c in (COLOR_ZH.values() if lang == ZH else R.COLOR_NAMES)):
            break
    else:
        if not shapes:
            return read(scene, rng, lang)
        unique = [o for o in shapes if sum(p["shape"] == o["shape"] for p in shapes) == 1]
        if not unique:
            return yes_no(scene, rng, lang)
        objects = [pick(rng, unique)]
        text = name(None, objects[0]["shape"], lang)
    o = objects[0]
    if lang == ZH:
        user = pick(rng, [f"{text}是什么颜色？", f"{text}是什么颜色的？", f"{text}的颜色是什么？"])
        answer = f"是{COLOR_ZH[o['color']]}。"
    else:
        user = pick(rng, [f"What color is the {text}?", f"What colour is the {text}?", f"Which color is the {text}?", f"what color is the {text}"])
        answer = f"It is {o['color']}."
    return q("color", lang, "chat", user, user, answer, o, color=o["color"])


def shape_of(scene, rng, lang):
    shapes = shapes_of(scene)
    for _ in range(6):
        if not shapes:
            return read(scene, rng, lang)
        if rng.random() < 0.5:
            o = pick(rng, shapes)
            if sum(p["color"] == o["color"] for p in shapes) != 1:
                continue
            text = name(o["color"], "shape", lang)
            thing = pick(rng, ["shape", "object"])
            if lang == EN:
                text = f"{o['color']} {thing}"
            users = [f"{text}是什么形状？", f"{text}是什么？"] if lang == ZH else [
                f"What shape is the {text}?", f"What is the {text}?", f"What is the shape of the {text}?"]
        else:
            text, objects, _ = target(scene, rng, lang)
            if len(objects) != 1 or objects[0]["kind"] != "shape" or any(s in text.split(" ")[-1] for s in R.SHAPES + list(SHAPE_ZH.values())):
                if not (len(objects) == 1 and objects[0]["kind"] == "shape" and ("shape" in text or "的图形" in text)):
                    continue
            o = objects[0]
            users = [f"{text}是什么？", f"{text}是什么形状？"] if lang == ZH else [f"What is the {text}?", f"What shape is the {text}?"]
        user = pick(rng, users)
        n = name(o["color"], o["shape"], lang)
        if rng.random() < 0.15:
            answer = f"是<|ref|>{n}<|/ref|>{det(scene, [o])}。" if lang == ZH else f"It is <|ref|>{article(n)}<|/ref|>{det(scene, [o])}."
            return q("ground", lang, "ground", user, "<|grounding|>" + user, answer, boxes=[box999(scene, o)])
        answer = f"是{n}。" if lang == ZH else f"It is {article(n)}."
        return q("shape", lang, "chat", user, user, answer, o, shape=o["shape"], color=o["color"])
    return yes_no(scene, rng, lang)


def quoted(texts, lang):
    parts = [f'"{o["text"]}"' for o in texts]
    if lang == ZH:
        return "和".join(parts)
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def read(scene, rng, lang):
    texts = sorted(texts_of(scene), key=lambda o: (mid(o)[1], mid(o)[0]))
    if not texts and scene["objects"] and rng.random() < 0.85:
        return count(scene, rng, lang)
    if lang == ZH:
        users = ["读出文字。", "图中写了什么？", "图片里的文字是什么？", "上面写着什么？"]
    else:
        users = ["Read the text.", "What does it say?", "What is written in the picture?", "What text is in the picture?", "What does the text say?",
                 "Read the words.", "read the text"]
    use = texts
    u = rng.random()
    if texts and u < 0.35:
        o = pick(rng, texts)
        noun = noun_of(o)
        same = [p for p in texts if noun_of(p) == noun]
        if len(same) == 1:
            use = same
            users = [f"{NOUN_ZH[noun]}是什么？", f"读出{NOUN_ZH[noun]}。"] if lang == ZH else [
                f"Read the {noun}.", f"What is the {noun}?", f"What {noun} is in the picture?", f"Which {noun} do you see?"]
        elif sum(p["color"] == o["color"] for p in same) == 1:
            use = [o]
            users = [f"读出{name(o['color'], noun, lang)}。"] if lang == ZH else [f"Read the {o['color']} {noun}.", f"What does the {o['color']} {noun} say?"]
    user = pick(rng, users)
    if not use:
        return q("absent", lang, "chat", user, user, NO_TEXT[lang], boxes=[])
    answer = f"写着{quoted(use, lang)}。" if lang == ZH else f"It says {quoted(use, lang)}."
    return q("read", lang, "chat", user, user, answer, text=[o["text"] for o in use])


def yes_no(scene, rng, lang):
    shapes = shapes_of(scene)
    if shapes and rng.random() < 0.5:
        o = pick(rng, shapes)
        color, noun = o["color"], o["shape"]
    else:
        color, noun = pick(rng, R.COLOR_NAMES), pick(rng, R.SHAPES)
        if shapes and rng.random() < 0.6:
            color, noun = (pick(rng, shapes)["color"], noun) if rng.random() < 0.5 else (color, pick(rng, shapes)["shape"])
    if rng.random() < 0.25:
        color = None
    there = any(matches(o, color, noun) for o in shapes)
    n = name(color, noun, lang)
    if lang == ZH:
        user = pick(rng, [f"有{n}吗？", f"图中有{n}吗？"])
        answer = f"有{n}。" if there else none_of(n, lang)
    else:
        user = pick(rng, [f"Is there {article(n)}?", f"Is there {article(n)} in the picture?", f"Do you see {article(n)}?"])
        answer = f"Yes, there is {article(n)}." if there else f"No, there is no {n} in the picture."
    return q("yesno", lang, "chat", user, user, answer, yes=there)


REGION = {EN: [["in the upper left", "at the top", "in the upper right"], ["on the left", "in the centre", "on the right"],
               ["in the lower left", "at the bottom", "in the lower right"]],
          ZH: [["左上方", "上方", "右上方"], ["左边", "中间", "右边"], ["左下方", "下方", "右下方"]]}


def where(scene, rng, lang):
    text, objects, canonical = target(scene, rng, lang, absent=0.08)
    if len(objects) > 1:
        return count(scene, rng, lang)
    user = pick(rng, [f"{text}在哪里？", f"{text}在哪？"]) if lang == ZH else pick(rng, [f"Where is the {text}?", f"where is the {text}"])
    if not objects:
        return q("absent", lang, "chat", user, user, none_of(canonical, lang), boxes=[])
    o = objects[0]
    if rng.random() < 0.3:
        label = text if lang == ZH else "the " + text
        return q("ground", lang, "ground", user, "<|grounding|>" + user, found(scene, label, objects, canonical, lang),
                 boxes=[box999(scene, o)])
    x, y = mid(o)
    place = REGION[lang][min(2, int(3 * y / scene["height"]))][min(2, int(3 * x / scene["width"]))]
    answer = f"在{place}。" if lang == ZH else f"It is {place}."
    return q("where", lang, "chat", user, user, answer, o, place=place)


def groups_of(scene):
    """Equal things together, ordered by the leftmost of each group."""
    groups = {}
    for o in sorted(scene["objects"], key=lambda o: box999(scene, o)[:2]):
        key = ("text", o["text"]) if o["kind"] == "text" else (o["color"], o["shape"])
        groups.setdefault(key, []).append(o)
    return groups


def describe(scene, rng, lang):
    groups = groups_of(scene)
    grounded = rng.random() < 0.55 and sum(map(len, groups.values())) <= 8
    parts = []
    for (color, noun), members in groups.items():
        if color == "text":
            n = noun_of(members[0])
            label = f'{NOUN_ZH[n]}"{noun}"' if lang == ZH else f'the {n} "{noun}"'
        elif lang == ZH:
            label = f"{len(members)}个{name(color, noun, lang)}"
        else:
            label = article(name(color, noun, lang)) if len(members) == 1 else name(color, noun, lang, len(members))
        parts.append(f"<|ref|>{label}<|/ref|>{det(scene, members)}" if grounded else label)
    if not parts:
        listed = "没有图形" if lang == ZH else "nothing"
    elif lang == ZH:
        listed = "、".join(parts)
    else:
        listed = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
    answer = f"图中有{listed}。" if lang == ZH else f"The picture shows {listed}."
    if lang == ZH:
        user = pick(rng, ["描述这张图片。", "描述图片。", "图中有什么？", "这是什么？", "你看到了什么？"])
    else:
        user = pick(rng, ["Describe the picture.", "Describe this picture.", "Describe the image.", "Describe this image.", "What is in the picture?",
                          "What do you see?", "What is this?", "What is in this image?", "What can you see?", "describe"])
    if grounded:
        return q("ground", lang, "ground", user, "<|grounding|>" + user, answer, boxes=[box999(scene, o) for o in scene["objects"]])
    return q("describe", lang, "chat", user, user, answer, objects=len(scene["objects"]))


OUTSIDE_EN = """Who is the president? | Write a poem. | What is the weather today? | What is the capital of France? | Is there a dog? | Find the cat. |
What time is it? | How old is the man? | Tell me a joke. | What breed is this dog? | Which city is this? | Translate this into German. |
Who painted this? | What is the person wearing? | Is it raining? | Where was this photo taken? | What brand is the car? | Solve the equation. |
How do I cook rice? | What is 12 plus 30? | Is the woman happy? | What animal is this? | What season is it? | Can you write code? |
How many people are there? | How many dogs are there? | What is the man doing? | Describe the weather. | What kind of food is this? |
Is this a photo? | Who won the game? | What is the meaning of life? | What should I do? | Recommend a book. | What is on the table? |
Sing a song. | How many cars are there? | What is the name of this building? | How tall is the tree? | Which language is this?""".split("|")
OUTSIDE_ZH = """谁是总统？|写一首诗。|今天天气怎么样？|法国的首都是哪里？|图中有狗吗？|现在几点？|讲个笑话。|这是什么动物？|这个人在做什么？|
这是哪个城市？|怎么做饭？|图中有几个人？|这是什么车？|你会写代码吗？|推荐一本书。""".split("|")
THINGS = """dog cat man woman person car tree house giraffe horse bird table chair bottle cup phone laptop book flower sky grass road sign boy girl
face hand shoe hat bag bus train boat plane bicycle window door building street dress shirt ball apple banana pizza cake zebra elephant""".split()
THINGS_ZH = "狗 猫 人 男人 女人 汽车 树 房子 长颈鹿 马 鸟 桌子 椅子 瓶子 手机 书 花 天空 草地 苹果".split()


def outside(scene, rng, lang):
    u = rng.random()
    if u < 0.18:
        user = pick(rng, ["你好", "你好！", "嗨", "你能做什么？", "你是谁？"]) if lang == ZH else pick(
            rng, ["Hello", "Hello!", "Hi", "hi", "hello", "What can you do?", "Who are you?", "Hey", "Help"])
        return q("hello", lang, "chat", user, user, HELLO[lang])
    if u < 0.55:
        user = pick(rng, OUTSIDE_ZH if lang == ZH else OUTSIDE_EN).strip()
        return q("outside", lang, "chat", user, user, REFUSE[lang])
    thing = pick(rng, THINGS_ZH if lang == ZH else THINGS)
    if u < 0.8:
        if lang == EN and rng.random() < 0.5:
            thing = pick(rng, ["the ", "all the ", "the red "]) + thing
        return q("outside", lang, "find", thing, f"<|ref|>{thing}<|/ref|>", REFUSE[lang])
    if lang == ZH:
        user = pick(rng, [f"{thing}在哪里？", f"有几个{thing}？", f"{thing}是什么颜色？", f"有{thing}吗？"])
    else:
        user = pick(rng, [f"Where is the {thing}?", f"How many {thing}s are there?", f"What color is the {thing}?", f"Is there a {thing}?",
                          f"Describe the {thing}."])
    ground = rng.random() < 0.3
    return q("outside", lang, "ground" if ground else "chat", user, ("<|grounding|>" if ground else "") + user, REFUSE[lang])


MIX = [(locate, 28), (find_all, 12), (count, 22), (color_of, 8), (shape_of, 6), (read, 26), (yes_no, 4), (where, 4), (describe, 8), (outside, 2)]


def ask(scene, rng, only=None, lang=None, mix=MIX):
    lang = lang or (ZH if rng.random() < 0.28 else EN)
    if only:
        return only(scene, rng, lang)
    total = sum(w for _, w in mix)
    u = rng.random() * total
    for f, w in mix:
        u -= w
        if u < 0:
            return f(scene, rng, lang)
    return locate(scene, rng, lang)


# ---------------------------------------------------------------- several pictures

ORDINAL = {EN: ["first", "second", "third"], ZH: ["第一", "第二", "第三"]}
IN_CONTEXT = {EN: ["In the first image, an object within the red rectangle is marked. Locate the object of the same category in the second image.",
                   "The red rectangle marks an object in the first picture. Find the same kind in the second picture.",
                   "Find the object of the same category in the second image."],
              ZH: ["第一张图中红框标出了一个物体。请在第二张图中找出同类的物体。", "在第二张图中找出与红框内同类的物体。"]}


def in_context(first, second, rng, lang):
    shape = first["objects"][first["marker"]]["shape"]
    hits = [o for o in second["objects"] if o["kind"] == "shape" and o["shape"] == shape]
    user = pick(rng, IN_CONTEXT[lang])
    label = name(None, shape, lang)
    if hits:
        answer = f"<|ref|>{label if lang == ZH else 'the ' + label}<|/ref|>{det(second, hits)}"
    else:
        answer = f"第二张图中没有{label}。" if lang == ZH else f"There is no {label} in the second picture."
    return q("incontext", lang, "ground", user, "<|grounding|>" + user, answer, boxes=[box999(second, o) for o in hits], label=label)


def compare(scenes, rng, lang):
    """A question over two or three pictures."""
    counts = [len(shapes_of(s)) for s in scenes]
    u = rng.random()
    i = int(rng.integers(len(scenes)))
    nth = ORDINAL[lang][i]
    if u < 0.3:
        best = max(counts)
        user = pick(rng, ["哪张图的图形最多？", "哪张图片的图形更多？"]) if lang == ZH else pick(
            rng, ["Which picture has the most shapes?", "Which image has more shapes?", "Which picture has more shapes?"])
        if counts.count(best) > 1:
            answer = "一样多。" if lang == ZH else "They have the same number of shapes."
        else:
            n = ORDINAL[lang][counts.index(best)]
            answer = f"{n}张图最多。" if lang == ZH else f"The {n} picture."
        return q("compare", lang, "chat", user, user, answer, same=answer)
    if u < 0.6:
        shape = pick(rng, R.SHAPES)
        all_shapes = [o["shape"] for s in scenes for o in shapes_of(s)]
        if all_shapes and rng.random() < 0.85:
            shape = pick(rng, all_shapes)
        hits = [j for j, s in enumerate(scenes) if any(o["shape"] == shape for o in shapes_of(s))]
        n = name(None, shape, lang)
        user = f"哪张图里有{n}？" if lang == ZH else pick(rng, [f"Which picture has {article(n)}?", f"Which image contains {article(n)}?"])
        names = [ORDINAL[lang][j] for j in hits]
        if not hits:
            answer = none_of(n, lang) if lang == ZH else f"There is no {n} in the pictures."
        elif lang == ZH:
            answer = "和".join(f"{m}张" for m in names) + "图。"
        else:
            answer = "The " + (" and the ".join(names) if len(names) < 3 else "first, the second and the third") + \
                (" picture." if len(names) == 1 else " pictures.")
        return q("compare", lang, "chat", user, user, answer, same=answer)
    if u < 0.85:
        user = f"{nth}张图有几个图形？" if lang == ZH else pick(
            rng, [f"How many shapes are in the {nth} picture?", f"How many shapes are in the {nth} image?"])
        return q("compare", lang, "chat", user, user, many(counts[i], None, "shape", lang), same=many(counts[i], None, "shape", lang))
    inner = describe(scenes[i], _NoGround(rng), lang)
    user = f"描述{nth}张图。" if lang == ZH else pick(rng, [f"Describe the {nth} picture.", f"What is in the {nth} image?"])
    return q("compare", lang, "chat", user, user, inner["answer"], same=inner["answer"])


class _NoGround:
    """A generator whose next `random` forbids grounding; the rest is passed on."""

    def __init__(self, rng):
        self.rng = rng

    def random(self):
        return 1.0

    def integers(self, *a, **k):
        return self.rng.integers(*a, **k)


# ---------------------------------------------------------------- examination

EXAM = [("locate", locate), ("findall", find_all), ("absent", locate), ("count", count), ("color", color_of), ("shape", shape_of), ("read", read),
        ("yesno", yes_no), ("where", where), ("describe", describe), ("ground", describe)]


def exam(scene, rng):
    """At most one question of each kind that the scene allows, chosen by `rng`."""
    out = []
    for kind, f in EXAM:
        for _ in range(10):
            x = f(scene, rng, ZH if rng.random() < 0.28 else EN)
            if x["task"] == kind:
                out.append(x)
                break
    return out
