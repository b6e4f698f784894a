"""Tokenizers and chat templates: `terntable tokens` against transformers, on random and adversarial
texts.
"""

import json
import random
import shutil
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SEED = 4711
COUNT = 10_000

# Pieces that tokenizers treat in ways of their own.
# fmt: off
PIECES = (
    "<s>", "</s>", "<|x|>", "<|user|>", "<|", "|>", "<unk>", "Ġ", "▁", "Ċ", " ", "  ", "\t", "\n",
    "\r\n", "\n\n\n", "\xa0", "\u2028", "\u3000", "\u200b", "\u200d", "\ufeff", "�", "\0", "\x7f",
    "'s", "'LL", "don't", "I'M", "0", "007", "1234567890", "3.14", "1,000", "e\u0301", "é", "ﬁ",
    "ß", "İ", "ǅ", "Ω", "日本語", "한국어", "العربية", "עברית", "ไทย", "👍",
    "👩\u200d👩\u200d👧\u200d👦",
    "🏳️\u200d🌈", "🇩🇪", "\U0010ffff", "𝔘", "----", "....", "!?", "the", "The", "THE", " and",
    "king", "SyntaxError:", "{\"a\": [1]}", "<a href='x'>", "\\n", "%s", "𐍈",
)
# fmt: on


def strings() -> list[str]:
    """The texts: single pieces, runs of one, mixtures, random code points of every plane."""
    draw = random.Random(SEED)

    def character() -> str:
        top = draw.choice((0x80, 0x800, 0x3000, 0xD7FF, 0x10FFFF))
        point = draw.randrange(top)
        return chr(point) if not 0xD800 <= point < 0xE000 else "x"

    texts = ["", *PIECES, *(piece * 50 for piece in PIECES)]
    while len(texts) < COUNT:
        kind, length = draw.randrange(3), draw.randrange(1, 40)
        if kind == 0:
            texts.append("".join(draw.choice(PIECES) for _ in range(length)))
        elif kind == 1:
            texts.append("".join(character() for _ in range(length)))
        else:
            texts.append(
                "".join(draw.choice((draw.choice(PIECES), character())) for _ in range(length))
            )
    return texts


def byte_level(corpus: str) -> Tokenizer:
    """As Llama 3 has it: a regular expression, bytes, special tokens, a first token."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    words = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    split = words + r"|\s*[\r\n]+|\s+(?!\S)|\s+|."
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(split), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=900, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([corpus], trainer)
    return _with_added(tokenizer)


def byte_fallback(corpus: str) -> Tokenizer:
    """As Llama 2 has it: words begin with a mark, unknown characters become bytes."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokens = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=tokens, show_progress=False)
    tokenizer.train_from_iterator(corpus.split("\n\n")[:2000], trainer)
    fields = json.loads(tokenizer.to_str())
    fields["added_tokens"] = [
        token for token in fields["added_tokens"] if token["content"] == "<unk>"
    ]
    return _with_added(Tokenizer.from_str(json.dumps(fields)))


def _with_added(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.add_special_tokens(["<s>", "</s>", "<|x|>"])
    tokenizer.add_tokens([AddedToken("<|user|>", lstrip=True, rstrip=True), "SyntaxError:"])
    first = tokenizer.token_to_id("<s>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", first)]
    )
    return tokenizer


TEMPLATES = {
    "lines": """\
{% for m in messages %}{{ bos_token if loop.first }}{{ m['role'] | capitalize }}: \
{{ m['content'] | trim }}</s>{% endfor %}\
{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}""",
    "headers": r"""
{{- bos_token }}
{%- for m in messages %}
    {{- '<|x|>' + m.role + '<|x|>\n\n' + m.content | trim + '</s>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|x|>assistant<|x|>\n\n' }}
{%- endif %}
""",
    "blocks": r"""{% for m in messages %}
  {% if m.role == 'system' %}
system: {{ m.content }}
  {% elif m.role in ['user'] and not loop.last %}
user: {{ m.content.strip().split('\n')[0] }}
  {% else %}
{{ m.role.upper() }}: {{ m.content.replace('a', 'b') }}
  {% endif %}
{% endfor %}
""",
    "namespace": """
{%- set ns = namespace(system='', n=0) -%}
{%- if messages[0]['role'] == 'system' -%}
  {%- set ns.system = messages[0]['content'] -%}{%- set rest = messages[1:] -%}
{%- else -%}{%- set rest = messages -%}{%- endif -%}
{%- for m in rest -%}
  {%- if m.role == 'user' -%}{%- set ns.n = ns.n + 1 -%}[{{ ns.n }}]
    {%- if ns.n == 1 and ns.system %}({{ ns.system }}){% endif -%}
  {%- endif -%}
  {{ m.content }}{{ '.' if loop.last else ';' }}
{% endfor -%}""",
    "macro": r"""
{%- macro say(m) %}<{{ m.role }}>{{ m.content | replace('\n', ' ') }}{% endmacro -%}
{% for m in messages if m.content %}{{ say(m) }}{{ '' if loop.last else '|' }}{% endfor %}
{{ messages | length }}""",
}


def conversations() -> list[list[dict]]:
    """Conversations of some of the texts."""
    draw, texts = random.Random(SEED + 1), strings()
    talks = []
    for index in range(200):
        talk = [{"role": "system", "content": draw.choice(texts)}] if index % 2 else []
        for turn in range(1 + index % 3):
            talk += [{"role": "assistant", "content": draw.choice(texts)}] if turn else []
            talk += [{"role": "user", "content": draw.choice(texts)}]
        talks.append(talk)
    return talks


def compare(terntable, model: Path, folder: Path) -> bool:
    """True when every text has the same tokens and the same text back, and every conversation the
    same rendering. `terntable(*args)` runs the program and returns its JSON."""
    corpus = (model / "tinyshakespeare.txt").read_text(encoding="utf-8")
    kinds = {
        "bundled": Tokenizer.from_file(str(model / "tokenizer.json")),
        "byte level, Llama 3's form": byte_level(corpus[:300_000]),
        "byte fallback, Llama 2's form": byte_fallback(corpus[:300_000]),
    }
    texts, passed = strings(), True
    listed = folder / "texts.json"
    listed.write_text(json.dumps(texts), encoding="utf-8")
    for name, tokenizer in kinds.items():
        _write(folder, tokenizer, model)
        theirs = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        different = 0
        for special, more in ((True, ()), (False, ("--no-special",))):
            ours = terntable("tokens", "--model", folder, "--file", listed, *more)
            for text, report in zip(texts, ours, strict=True):
                tokens = theirs.encode(text, add_special_tokens=special)
                back = theirs.decode(
                    tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
                )
                different += report["tokens"] != tokens or report["decoded"] != back
        passed &= not different
        print(
            f"{'FAIL' if different else 'ok  '} tokenizer, {name}: {len(texts)} texts, with and "
            f"without special tokens: {different} differ"
        )
    return passed & _compare_templates(
        terntable, kinds["byte level, Llama 3's form"], model, folder
    )


def _compare_templates(terntable, tokenizer: Tokenizer, model: Path, folder: Path) -> bool:
    talks, passed = conversations(), True
    listed = folder / "conversations.json"
    listed.write_text(json.dumps(talks), encoding="utf-8")
    _write(folder, tokenizer, model)
    theirs = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), bos_token="<s>", eos_token="</s>"
    )
    for name, template in TEMPLATES.items():
        fields = {"chat_template": template, "bos_token": "<s>", "eos_token": {"content": "</s>"}}
        (folder / "tokenizer_config.json").write_text(json.dumps(fields), encoding="utf-8")
        ours = terntable("tokens", "--model", folder, "--file", listed, "--chat")
        different = 0
        for talk, report in zip(talks, ours, strict=True):
            text = theirs.apply_chat_template(
                talk, chat_template=template, tokenize=False, add_generation_prompt=True
            )
            tokens = theirs.encode(text, add_special_tokens=False)
            different += report["text"] != text or report["tokens"] != tokens
        passed &= not different
        print(
            f"{'FAIL' if different else 'ok  '} template {name!r}: {len(talks)} conversations: "
            f"{different} differ"
        )
    print()
    return passed


def _write(folder: Path, tokenizer: Tokenizer, model: Path) -> None:
    """What `terntable tokens` reads of a model with this tokenizer."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    config["vocab_size"] = tokenizer.get_vocab_size(with_added_tokens=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer.save(str(folder / "tokenizer.json"))
    shutil.copyfile(model / "model.safetensors", folder / "model.safetensors")
