"""The family as data: names, sizes, prompts, dimensions, limits, licences, and what is inferred.

Sizes here serve profiles, checks, `biencoder random` and messages. A checkpoint's own config.json
and sentence-transformers files always win over this table.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

from biencoder.config.model import LlamaConfig, RopeScaling
from biencoder.config.page_model import PageConfig, VisionConfig
from biencoder.config.prompts import Prompts
from biencoder.errors import UnknownModelError

_RETRIEVAL_TASK = "Given a question, retrieve passages that answer the question"
_MATRYOSHKA_2048 = (384, 512, 768, 1024, 2048)


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One model of the family. ``dimensions`` ascends; its last entry is the full size.

    ``pages`` is there where the model sees page images too; ``config`` is its language model then.
    """

    id: str
    aliases: tuple[str, ...]
    config: LlamaConfig | None
    hidden_size: int
    dimensions: tuple[int, ...]
    max_tokens: int
    prompts: Prompts
    license: str
    commercial_use: bool
    weights: str
    inferred: tuple[str, ...] = ()
    note: str = ""
    pages: PageConfig | None = None

    @property
    def name(self) -> str:
        """The id without its owner."""
        return self.id.rsplit("/", 1)[-1]


def _llama(
    hidden: int, feed_forward: int, layers: int, heads: int, head_dim: int, factor: float
) -> LlamaConfig:
    """What the Llama 3 line shares: 8 key/value heads, vocabulary, rotary rule, special tokens."""
    return LlamaConfig(
        vocab_size=128256,
        hidden_size=hidden,
        intermediate_size=feed_forward,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=8,
        head_dim=head_dim,
        rms_norm_eps=1e-5,
        rope_theta=500000.0,
        rope_scaling=RopeScaling(
            factor=factor,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=8192,
        ),
        max_position_embeddings=131072,
        bos_token_id=128000,
        eos_token_id=128001,
    )


_PASSAGES = Prompts(query="query: ", document="passage: ")

MINI = Member(
    id="mini",
    aliases=("biencoder/mini",),
    config=LlamaConfig(
        vocab_size=30522,
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=64,
        rms_norm_eps=1e-5,
        rope_theta=500000.0,
        rope_scaling=RopeScaling(
            factor=32.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=8192,
        ),
        max_position_embeddings=131072,
        bos_token_id=101,
        eos_token_id=102,
        pad_token_id=0,
    ),
    hidden_size=384,
    dimensions=(64, 128, 256, 384),
    max_tokens=512,
    prompts=_PASSAGES,
    license="Apache-2.0 (see its model card on the teacher's training data)",
    commercial_use=True,
    weights="shipped with biencoder",
    note="English; trained by this project, distilled from all-MiniLM-L6-v2. The teacher was trained "
    "on MS MARCO among others, whose terms name non-commercial research: read the model card.",
)

NEMOTRON_1B = Member(
    id="nvidia/llama-nemotron-embed-1b-v2",
    aliases=(
        "1b",
        "nvidia/llama-3.2-nv-embedqa-1b-v2",
        "nvidia/llama-3_2-nv-embedqa-1b-v2",
    ),
    config=_llama(2048, 8192, 16, 32, 64, 32.0),
    hidden_size=2048,
    dimensions=_MATRYOSHKA_2048,
    max_tokens=8192,
    prompts=_PASSAGES,
    license="NVIDIA Open Model License; Llama 3.2 Community License",
    commercial_use=True,
    weights="Hugging Face",
    note="26 languages, long documents.",
)

RETRIEVER_300M = Member(
    id="nvidia/llama-3.2-nemoretriever-300m-embed-v2",
    aliases=(
        "300m",
        "nvidia/llama-3_2-nemoretriever-300m-embed-v2",
        "nvidia/llama-nemotron-embed-300m-v2",
    ),
    config=_llama(2048, 3840, 9, 32, 64, 32.0),
    hidden_size=2048,
    dimensions=_MATRYOSHKA_2048,
    max_tokens=8192,
    prompts=_PASSAGES,
    license="NVIDIA Community Model License; Llama 3.2 Community License",
    commercial_use=True,
    weights="none published: only behind NVIDIA's NIM and API",
    inferred=("intermediate_size", "attention shape", "prompts", "parameters"),
    note="No public weights. The shape is inferred from two published parameter counts: load it "
    "from a folder if you have one.",
)

REASONING_3B = Member(
    id="nvidia/llama-nv-embed-reasoning-3b",
    aliases=("3b", "llama-embed-nemotron-reasoning-3b"),
    config=_llama(3072, 8192, 28, 24, 128, 32.0),
    hidden_size=3072,
    dimensions=(3072,),
    max_tokens=8192,
    prompts=replace(_PASSAGES, bright=True),
    license="Creative Commons, non-commercial; Llama 3.2 Community License",
    commercial_use=False,
    weights="Hugging Face",
    inferred=("attention heads", "intermediate_size", "rope factor"),
    note="Trained at 512 tokens, evaluated at 8192. Twelve BRIGHT instructions by name.",
)

NEMOTRON_8B = Member(
    id="nvidia/llama-embed-nemotron-8b",
    aliases=("8b", "llama-embed-nemotron-8b-v1"),
    config=_llama(4096, 14336, 32, 32, 128, 8.0),
    hidden_size=4096,
    dimensions=(4096,),
    max_tokens=32768,
    prompts=Prompts(
        query=f"Instruct: {_RETRIEVAL_TASK}\nQuery: ",
        document="",
        instruction_template="Instruct: {instruction}\nQuery: ",
    ),
    license="NVIDIA License (research only); Llama 3.1 Community License",
    commercial_use=False,
    weights="Hugging Face",
    inferred=("rope factor",),
    note="Instruction-aware, multilingual. The card's code cuts at 4096 tokens.",
)

# Seven more added tokens follow the three of the image: 128,266 rows in the table.
_PAGES = PageConfig(
    text=replace(_llama(2048, 8192, 16, 32, 64, 32.0), vocab_size=128266),
    vision=VisionConfig(
        hidden_size=1152,
        intermediate_size=4304,
        num_hidden_layers=27,
        num_attention_heads=16,
        image_size=512,
        patch_size=16,
    ),
    image_context_token_id=128258,
)

PAGES_1B = Member(
    id="nvidia/llama-nemotron-embed-vl-1b-v2",
    aliases=("vl", "vl-1b"),
    config=_PAGES.text,
    hidden_size=2048,
    dimensions=(2048,),
    max_tokens=8192,
    prompts=_PASSAGES,
    license="NVIDIA Open Model License; Llama 3.2 Community License",
    commercial_use=True,
    weights="Hugging Face",
    inferred=("tower's attention heads", "tower's layer_norm_eps"),
    note="Page images, text, or both: an image up to 2,048 tokens, with its text 10,240; a query 512.",
    pages=_PAGES,
)

FAMILY: tuple[Member, ...] = (
    MINI,
    NEMOTRON_1B,
    RETRIEVER_300M,
    REASONING_3B,
    NEMOTRON_8B,
    PAGES_1B,
)
DEFAULT_MODEL = MINI.id


def _names() -> dict[str, Member]:
    names: dict[str, Member] = {}
    for member in FAMILY:
        for name in (member.id, *member.aliases):
            names[name.lower()] = member
            names[name.rsplit("/", 1)[-1].lower()] = member
    return names


def find_member(name: str) -> Member | None:
    """The member with this id or alias, owner optional, case ignored; None for any other name."""
    return _names().get(name.lower())


def member_named(name: str) -> Member:
    """As `find_member`, but an unknown name is an error that lists the known and the nearest."""
    member = find_member(name)
    if member is None:
        raise unknown_model(name)
    return member


def unknown_model(name: str) -> UnknownModelError:
    """The error for a name that is neither a member, a folder nor a hub repository."""
    names = _names()
    near = difflib.get_close_matches(name.lower().rsplit("/", 1)[-1], names, n=1, cutoff=0.5)
    nearest = f"did you mean {names[near[0]].name!r}? " if near else ""
    known = ", ".join(member.name for member in FAMILY)
    return UnknownModelError(
        f"there is no model, folder or hub repository {name!r}",
        hint=f"{nearest}known models: {known}; or give the path of a checkpoint folder",
    )
