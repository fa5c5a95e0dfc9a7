# SPDX-License-Identifier: MIT
"""Greedy decoding of many questions over many pictures at once, with the training model (for validation and for comparing with engines)."""
import torch
import torch.nn.functional as F

from model import rope_table


def _attend(layer, x, pos, keys, values, own_k, own_v, owner, where, mask):
    """One layer over rows x [n, t, hidden]; writes this step's keys and values into the rows' cache at `where` [n, t]."""
    n, t, h = x.shape
    att = layer.self_attn
    cos, sin = rope_table(pos.reshape(-1), att.c["rope"], att.c["theta"])
    q, k, v = (a.view(n, t, *a.shape[1:]) for a in att.qkv(layer.input_layernorm(x).view(n * t, h), cos, sin))
    rows = torch.arange(n)[:, None].expand(n, t)
    own_k[rows, where], own_v[rows, where] = k, v
    full_k = torch.cat([keys[owner], own_k.transpose(1, 2)], 2)
    full_v = torch.cat([values[owner], own_v.transpose(1, 2)], 2)
    o = F.scaled_dot_product_attention(q.transpose(1, 2), full_k, full_v, attn_mask=mask).transpose(1, 2).reshape(n * t, -1)
    x = x.view(n * t, h) + att.o_proj(o)
    return (x + layer.mlp(layer.post_attention_layernorm(x))).view(n, t, h)


@torch.no_grad()
def generate(model, prefix, owner, prompts, eos, limit=200):
    """prefix [b, p, hidden]; prompts[i] (ids after the prefix) belongs to picture owner[i].  Returns the generated ids without EOS."""
    lang = model.language
    b, p, h = prefix.shape
    cos, sin = rope_table(torch.arange(p).repeat(b), lang.c["rope"], lang.c["theta"])
    x, cache = prefix.reshape(b * p, h), []
    for layer in lang.layers:
        x, kv = layer(x, cos, sin, (b, p, 0, 0), None)
        cache.append(kv)
    n, longest = len(prompts), max(map(len, prompts))
    length = torch.tensor([len(q) for q in prompts])
    ids = torch.tensor([q + [2] * (longest - len(q)) for q in prompts])
    owner = torch.tensor(owner)
    heads, room = lang.c["heads"], longest + limit
    own = [(torch.zeros(n, room, heads, lang.c["nope"] + lang.c["rope"]), torch.zeros(n, room, heads, lang.c["v"])) for _ in lang.layers]
    where = torch.arange(longest).expand(n, -1)
    mask = torch.full((n, 1, longest, p + room), float("-inf"))
    mask[..., :p] = 0
    mask[:, 0, :, p:p + longest].masked_fill_(torch.ones(longest, longest, dtype=torch.bool).tril(), 0)
    x = lang.embed_tokens(ids)
    for layer, (k, v), (ok, ov) in zip(lang.layers, cache, own):
        x = _attend(layer, x, where + p, k, v, ok, ov, owner, where, mask)
    x = x[torch.arange(n), length - 1]
    out, alive = [[] for _ in range(n)], torch.ones(n, dtype=torch.bool)
    mask = torch.full((n, 1, 1, p + room), float("-inf"))
    mask[..., :p] = 0
    mask[:, 0, 0, p:].masked_fill_(torch.arange(room)[None] < length[:, None], 0)
    for step in range(limit):
        token = lang.lm_head(lang.norm(x)).argmax(-1)
        for i in alive.nonzero()[:, 0].tolist():
            if token[i] == eos:
                alive[i] = False
            else:
                out[i].append(int(token[i]))
        if not alive.any() or step + 1 == limit:
            break
        where = (length + step)[:, None]
        mask[torch.arange(n), 0, 0, p + where[:, 0]] = 0
        x = lang.embed_tokens(token)[:, None]
        for layer, (k, v), (ok, ov) in zip(lang.layers, cache, own):
            x = _attend(layer, x, where + p, k, v, ok, ov, owner, where, mask)
        x = x[:, 0]
    return out


@torch.no_grad()
def answer(model, text, pictures, questions, lead="\n"):
    """pictures: lists of u8 tile arrays with equal grids [(tiles, grid)]; questions[i] = user texts of picture i.  Returns texts."""
    tiles = torch.cat([torch.from_numpy(t) for t, _ in pictures])
    tokens, _ = model.image_tokens(model.vision(tiles), [g for _, g in pictures])
    emb = model.language.embed_tokens
    head = emb(torch.tensor([text.bos] + text.ids("<|User|>: "))).expand(len(pictures), -1, -1)
    owner, prompts = [], []
    for i, users in enumerate(questions):
        for u in users:
            owner.append(i)
            prompts.append(text.ids(lead + u + "\n\n<|Assistant|>:"))
    got = generate(model, torch.cat([head, tokens], 1), owner, prompts, text.eos)
    return [text.tk.decode(g, skip_special_tokens=False) for g in got], got
