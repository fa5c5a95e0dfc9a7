# SPDX-License-Identifier: MIT
"""Seeded strings that tokenizers get wrong: mixed scripts, numbers, runs of white space, emoji, combining marks, control tokens.

Used by tokenizer_check.py and prompt_check.py. Needs nothing beyond the standard library.
"""
import random

ENGLISH = ("the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one "
           "you were all her she there would their we him been has when who will no more if out so up said what its about than "
           "into them can only other time new some could these two may first then do any like my now over such our man me even "
           "most made after also did many before must through years where much your way well down should because long each just "
           "picture shows a red circle left of the largest blue square, don't I'll we've it's they're he'd I'm Locate giraffe "
           "Watermelon slices Internationalization photosynthesis antidisestablishmentarianism").split()
CHINESE = ("的一是不了在人有我他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后能对着事其里所去行过家十用发天如然作方成者多日都三小军二无"
           "同么经法当起与好看学进种将还分此心前面又定见只主没公从图片里的红色圆形在左边蓝色方块找到所有请描述这张图")
OTHER = ["日本語のテキスト", "カタカナ", "한국어 텍스트", "Привет мир", "Ελληνικά", "العربية", "עברית", "हिन्दी", "ภาษาไทย", "Ünïcödé",
         "naïve café", "Straße", "ſtraße", "İstanbul", "ﬁne", "Ａｂｃ１２３", "ǅ", "ⅣⅫ", "½¾²", "٣٤٥", "一二三", "〇", "𐐀𐐁", "𝒳𝟙", "龥龦", "ꙮ", "ࠀ",
         "\u1c90\u10d0"]
EMOJI = ["😀", "👩‍👩‍👧", "🇨🇳", "👍🏽", "❤️", "🏳️‍🌈", "⌚", "☃", "🦒", "©", "™", "→"]
MARKS = ["e\u0301", "a\u0308\u0323", "\u0915\u093f", "o\u0302\u0301", "\u200d", "\u200b", "\ufeff", "\u00ad", "\u180e", "\u2060", "\ufffd", "\x00",
         "\x7f", "\x1c", "\x1f", "\x85", "\u2028", "\u2029"]
SPACES = [" ", "  ", "   ", " " * 7, " " * 33, "\t", "\t\t", "\n", "\n\n", "\n\n\n", "\r\n", "\r", " \n", "\n ", " \n \n", "\u3000", "\u00a0", "\u2003",
          "\u2009", "\u202f", "\u1680", "\v", "\f", " \t ", "\u3000\u3000", " \u00a0 "]
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["...", "——", "，", "。", "！", "？", "、", "「", "」", "《", "》", "…", "“", "”", "‘", "’", "¡", "¿", "-->",
                                                                   "::", "//", "/*", "*/", "==", "!=", "&&", "'s", "'T", "'LL", "'re", "'ſ"]
CODE = ["for (int i = 0; i < n; i++) {\n    a[i] += b[i];\n}\n", "def f(x):\n\treturn x ** 2\n", "SELECT * FROM t WHERE id = 42;", "#include <stdio.h>\n",
        "std::vector<int> v{1,2,3};", "<div class=\"a\">text</div>", "C:\\path\\to", "https://example.org/a?b=c&d=%20", "x_1 = y2z", "camelCaseName", "snake_case_name",
        "0xDEADBEEF", "1e-5", "[[12, 345, 678, 999]]", "$\\frac{a}{b}$"]
CONTROL = ["<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>", "<|User|>", "<|Assistant|>", "<image>", "<｜begin▁of▁sentence｜>",
           "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>", "<｜User｜>", "<|ref", "|>", "<|", "<｜", "<｜end", "<image", "<imag", "<|det|>[[1, 2, 3, 4]]<|/det|>"]


def number(rng):
    kind = rng.randrange(6)
    digits = "".join(rng.choice("0123456789") for _ in range(rng.choice([1, 1, 2, 2, 3, 3, 4, 5, 7, 12, 31])))
    return [digits, digits + "." + digits, "-" + digits, digits[:3] + "," + digits, digits + "%", "１２" + digits][kind]


def code_point(rng):
    while True:
        c = rng.choice([rng.randrange(0x80), rng.randrange(0x800), rng.randrange(0x10000), rng.randrange(0x110000)])
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def piece(rng, assigned):
    kind = rng.random()
    if kind < 0.30:
        return " ".join(rng.choice(ENGLISH) for _ in range(rng.randint(1, 6)))
    if kind < 0.45:
        return "".join(rng.choice(CHINESE) for _ in range(rng.randint(1, 12)))
    if kind < 0.50:
        return rng.choice(OTHER)
    if kind < 0.57:
        return number(rng)
    if kind < 0.72:
        return rng.choice(SPACES)
    if kind < 0.80:
        return rng.choice(PUNCTUATION)
    if kind < 0.84:
        return rng.choice(EMOJI)
    if kind < 0.88:
        return rng.choice(MARKS)
    if kind < 0.92:
        return rng.choice(CODE)
    if kind < 0.96:
        return rng.choice(CONTROL)
    if kind < 0.98:
        return rng.choice("abcxyzé字１ \n-") * rng.choice([2, 3, 9, 60, 200])
    return "".join(filter(assigned, (code_point(rng) for _ in range(rng.randint(1, 5)))))


def strings(seed, count, assigned=lambda c: True):
    """`count` strings. assigned(c) filters random code points (Unicode versions differ between libraries)."""
    rng = random.Random(seed)
    for _ in range(count):
        n = rng.choice([1, 2, 3, 4, 6, 9, 14, 30])
        text = "".join(piece(rng, assigned) + (" " if rng.random() < 0.3 else "") for _ in range(n))
        yield text.upper() if rng.random() < 0.03 else text
