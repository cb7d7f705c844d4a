"""Which words go before a text, by role, and by instruction where the model takes one.

Prompt and text are one string for the tokenizer: byte-pair pieces join the prompt's last space to
the text's first word, so the two can never be tokenised apart.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from biencoder.errors import InputError
from biencoder.types import Role

_SUBJECTS = {
    "biology": ("a Biology post", "passages", "post"),
    "earth_science": ("an Earth Science post", "passages", "post"),
    "economics": ("an Economics post", "passages", "post"),
    "psychology": ("a Psychology post", "passages", "post"),
    "robotics": ("a Robotics post", "passages", "post"),
    "stackoverflow": ("a Stack Overflow post", "passages", "post"),
    "sustainable_living": ("a Sustainable Living post", "passages", "post"),
    "leetcode": ("a Coding problem", "examples", "problem"),
    "pony": ("a Pony question", "passages", "question"),
    "aops": ("a Math problem", "examples", "problem"),
    "theoremqa_questions": ("a Math problem", "examples", "problem"),
    "theoremqa_theorems": ("a Math problem", "theorems", "problem"),
}

BRIGHT_INSTRUCTIONS: dict[str, str] = {
    task: f"Given {subject}, retrieve relevant {object_} that help answer the {noun}."
    for task, (subject, object_, noun) in _SUBJECTS.items()
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompts:
    """Prompts of one model.

    ``instruction_template`` holds ``{instruction}`` where the model takes a task per call (the 8b).
    ``bright`` marks the model that was trained with the twelve BRIGHT instructions (the 3b): there
    an instruction is one of their names.
    """

    query: str
    document: str
    instruction_template: str | None = None
    bright: bool = False

    def prefix(self, role: Role, instruction: str | None = None) -> str:
        """What goes before the text.

        An empty instruction asks for no wrapper at all. Raises InputError where the model takes no
        instruction, or where the name is not one of the twelve.
        """
        if role == "document":
            return self.document
        if instruction is None:
            return self.query
        if self.bright:
            return f"Instruct: {_bright_instruction(instruction)}\nQuery: "
        if self.instruction_template is None:
            raise InputError(
                "this model takes no instruction: its query prompt is fixed",
                hint="leave instruction out, or use llama-embed-nemotron-8b",
            )
        if not instruction:
            return ""
        return self.instruction_template.format(instruction=instruction)


def _bright_instruction(name: str) -> str:
    if name in BRIGHT_INSTRUCTIONS:
        return BRIGHT_INSTRUCTIONS[name]
    near = difflib.get_close_matches(name, BRIGHT_INSTRUCTIONS, n=1)
    nearest = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(
        f"{name!r} is not one of the BRIGHT instructions this model was trained with",
        hint=f"{nearest}known: {', '.join(BRIGHT_INSTRUCTIONS)}",
    )
