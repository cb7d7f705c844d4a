"""Pages under judgement: sets whose documents have pictures, and what embeds them."""
