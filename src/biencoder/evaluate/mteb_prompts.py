"""Which words go before a text of an mteb task.

mteb says what a text is by ``prompt_type``: a query, a document, or neither (both sides of a
similarity task, texts to classify or to cluster). The rule ``family`` gives each model what it was
trained or published with:

- one fixed prompt a side (mini, 300m, 1b, 3b): documents get the document's, everything else the
  query's. A text that is neither is like a question: short, and compared with its own kind.
- the 3b on BRIGHT: one of its twelve instructions, by domain.
- the 8b: its task's instruction before everything but the documents of retrieval and reranking.
  Source: mteb's own wrapper of that model, whose task list is read from mteb.

The rule ``plain`` gives every task the model's two prompts and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from biencoder.config.prompts import BRIGHT_INSTRUCTIONS, Prompts
from biencoder.errors import MissingExtraError
from biencoder.evaluate.extra import HOW_TO_INSTALL
from biencoder.types import Role

if TYPE_CHECKING:
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.types import PromptType

Prompting: TypeAlias = Literal["family", "plain"]
PROMPTINGS: tuple[Prompting, ...] = ("family", "plain")

_SIMILAR = "Retrieve semantically similar text"
_BY_TYPE = {
    "STS": _SIMILAR,
    "PairClassification": _SIMILAR,
    "BitextMining": "Retrieve parallel sentences",
}
_DOMAINS = {domain.replace("_", ""): domain for domain in BRIGHT_INSTRUCTIONS}


@dataclass(frozen=True, slots=True)
class TaskPrompt:
    """What `Embedder.encode_stream` is told: the role and, for some models, an instruction."""

    role: Role
    instruction: str | None = None


def task_prompt(
    prompts: Prompts,
    task: TaskMetadata,
    prompt_type: PromptType | None,
    *,
    subset: str = "default",
    prompting: Prompting = "family",
) -> TaskPrompt:
    """The prompt of one side of a task."""
    side = None if prompt_type is None else prompt_type.value
    plain = TaskPrompt("document" if side == "document" else "query")
    if prompting == "plain":
        return plain
    if prompts.instruction_template is not None:
        # An instruction is passed with the role of a query: a document's role takes none.
        instruction = _instruction(task, side)
        return plain if instruction is None else TaskPrompt("query", instruction)
    domain = bright_domain(task.name, subset)
    if prompts.bright and domain is not None and plain.role == "query":
        return TaskPrompt("query", domain)
    return plain


def bright_domain(task: str, subset: str = "default") -> str | None:
    """The BRIGHT domain of a task; None for a task of another benchmark.

    >>> bright_domain("BrightTheoremQATheoremsRetrieval"), bright_domain("BrightPonyLongRetrieval")
    ('theoremqa_theorems', 'pony')
    >>> bright_domain("BrightRetrieval", "earth_science"), bright_domain("SciFact")
    ('earth_science', None)
    """
    if not (task.startswith("Bright") and task.endswith("Retrieval")):
        return None
    if subset in BRIGHT_INSTRUCTIONS:
        return subset
    name = task.removeprefix("Bright").removesuffix("Retrieval").removesuffix("Long")
    return _DOMAINS.get(name.lower())


def _instruction(task: TaskMetadata, side: str | None) -> str | None:
    """The 8b's instruction; None for a text that goes bare."""
    listed = _listed_prompts().get(task.name)
    both_sides = isinstance(listed, Mapping)
    searched = "Retrieval" in task.type or "Reranking" in task.type
    if side == "document" and searched and not both_sides:
        return None
    if task.type in _BY_TYPE:
        return _BY_TYPE[task.type]
    return _side_of(listed, side) if listed else _own_prompt(task, side)


def _own_prompt(task: TaskMetadata, side: str | None) -> str:
    """What the task says of itself, else what its kind of task says."""
    from mteb.abstasks.abstask import get_abstask_prompt

    if task.prompt:
        return _side_of(task.prompt, side)
    prompt: str = get_abstask_prompt(task.name)
    return prompt


def _side_of(prompt: object, side: str | None) -> str:
    """A prompt that differs by side, taken apart; a text of no side is taken for a query."""
    if isinstance(prompt, Mapping):
        return str(prompt.get(side or "query") or "")
    return str(prompt)


def _listed_prompts() -> Mapping[str, object]:
    """The instructions by task that the 8b was published with, from mteb."""
    try:
        from mteb.models.model_implementations.nvidia_models import TASK_PROMPTS
    except ImportError as error:
        raise MissingExtraError(
            "the installed mteb does not hold the task instructions of llama-embed-nemotron-8b",
            hint=f"{HOW_TO_INSTALL}; or judge with plain prompts",
        ) from error
    listed: Mapping[str, object] = TASK_PROMPTS
    return listed
