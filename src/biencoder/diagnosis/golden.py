"""The samples printed on the model cards: exact strings, and the cosines printed beside them.

They hold for the published weights only. Sources: the cards' "Usage" sections, read in verbatim
copies of them (the hub itself could not be reached). A member without an entry has no strings that
are known here with certainty; nothing is filled in by guessing.
"""

from __future__ import annotations

from dataclasses import dataclass

# Two number formats on the 8b's own card differ by 6e-4 on one of its scores.
TOLERANCE = 2e-3


@dataclass(frozen=True, slots=True)
class CardSample:
    """Texts without prompts, and ``scores[query][document]`` as the card prints them.

    printed_with: what the card's own code computed them in.
    """

    queries: tuple[str, ...]
    documents: tuple[str, ...]
    scores: tuple[tuple[float, ...], ...]
    printed_with: str


CARD_SAMPLES: dict[str, CardSample] = {
    "nvidia/llama-nv-embed-reasoning-3b": CardSample(
        queries=("how much protein should a female eat", "summit define"),
        documents=(
            "As a general guideline, the CDC's average requirement of protein for women ages 19 to "
            "70 is 46 grams per day. But, as you can see from this chart, you'll need to increase "
            "that if you're expecting or training for a marathon. Check out the chart below to see "
            "how much protein you should be eating each day.",
            "Definition of summit for English Language Learners. : 1  the highest point of a "
            "mountain : the top of a mountain. : 2  the highest level. : 3  a meeting or series of "
            "meetings between the leaders of two or more governments.",
        ),
        scores=(
            (0.6688634157180786, 0.23073062300682068),
            (0.24395054578781128, 0.5622682571411133),
        ),
        printed_with="transformers on a GPU, number format not stated",
    ),
    "nvidia/llama-embed-nemotron-8b": CardSample(
        queries=("How do neural networks learn patterns from examples?",),
        documents=(
            "Deep learning models adjust their weights through backpropagation, using gradient "
            "descent to minimize error on training data and improve predictions over time.",
            "Market prices are determined by the relationship between how much people want to buy "
            "a product and how much is available for sale, with scarcity driving prices up and "
            "abundance driving them down.",
        ),
        # Pooled and normalised in float32, as here. An older card pooled in float16 and printed
        # 0.37646484375 and 0.0579833984375.
        scores=((0.37644022703170776, 0.05794818699359894),),
        printed_with="transformers, float16",
    ),
}
