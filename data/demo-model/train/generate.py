# SPDX-License-Identifier: MIT
"""Greedy decoding of many questions over many pictures at once, with the training model (for validation and for comparing with engines)."""
import torch
import torch.nn.functional as F

from model import rope_table


def _attend(layer, x, pos, cache, where, mask):
    """One layer over rows x [n, t, hidden]; writes this step's keys and values into the rows' cache at `where` [n, t]."""
    n, t, h = x.shape
    att = layer.self_attn
    cos, sin = rope_table(pos.reshape(-1), att.c["rope"], att.c["theta"])
    q, k, v = (a.view(n, t, *a.shape[1:]) for a in att.qkv(layer.input_layernorm(x).view(n * t, h), cos, sin))
    rows = torch.arange(n)[:, None].expand(n, t)
    cache[0][rows, :, where], cache[1][rows, :, where] = k, v
    seen = mask.shape[-1]
    o = F.scaled_dot_product_attention(q.transpose(1, 2), cache[0][:, :, :seen], cache[1][:, :, :seen], attn_mask=mask)
    x = x.view(n * t, h) + att.o_proj(o.transpose(1, 2).reshape(n * t, -1))
    return (x + layer.mlp(layer.post_attention_layernorm(x))).view(n, t, h)


@torch.no_grad()
def generate(model, prefix, owner, prompts, eos, limit=180):
    """prefix [b, p, hidden]; prompts[i] (ids after the prefix) belongs to picture owner[i].  Returns the generated ids without EOS."""
    lang = model.language
    b, p, h = prefix.shape
    cos, sin = rope_table(torch.arange(p).repeat(b), lang.c["rope"], lang.c["theta"])
    x, n, longest = prefix.reshape(b * p, h), len(prompts), max(map(len, prompts))
    owner, caches = torch.tensor(owner), []
    for layer in lang.layers:
        x, kv = layer(x, cos, sin, (b, p, 0, 0), None)
        caches.append([torch.cat([t[owner], t.new_zeros(n, t.shape[1], longest + limit, t.shape[3])], 2) for t in kv])
    length = torch.tensor([len(q) for q in prompts])
    ids = torch.tensor([q + [2] * (longest - len(q)) for q in prompts])
    where = (p + torch.arange(longest)).expand(n, -1)
    mask = torch.zeros(n, 1, longest, p + longest)
    mask[..., p:].masked_fill_(~torch.ones(longest, longest, dtype=torch.bool).tril(), float("-inf"))
    x = lang.embed_tokens(ids)
    for layer, cache in zip(lang.layers, caches):
        x = _attend(layer, x, where, cache, where, mask)
    x = x[torch.arange(n), length - 1]
    out, rows, at = [[] for _ in range(n)], torch.arange(n), p + length
    for _ in range(limit):
        token = lang.lm_head(lang.norm(x)).argmax(-1)
        live = token != eos
        for i, t in zip(rows[live].tolist(), token[live].tolist()):
            out[i].append(t)
        if not live.any():
            break
        if not live.all():
            rows, at, token = rows[live], at[live], token[live]
            caches = [[t[live] for t in cache] for cache in caches]
        mask = torch.zeros(len(rows), 1, 1, int(at.max()) + 1)
        mask[:, 0, 0].masked_fill_(torch.arange(mask.shape[-1])[None] > at[:, None], float("-inf"))
        x = lang.embed_tokens(token)[:, None]
        for layer, cache in zip(lang.layers, caches):
            x = _attend(layer, x, at[:, None], cache, at[:, None], mask)
        x, at = x[:, 0], at + 1
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
