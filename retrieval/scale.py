"""Cosines of one model on the scale of another.

The weights of search and the thresholds of answers were found with the model that comes with Strongroom. Another one's
cosines lie elsewhere (all between .7 and .9 for some), so they are mapped by a straight line under which unrelated and
related texts, of the pairs below, lie where that one puts them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrieval.embedder import Embedder

LEAST_APART = 0.02
"""between related and unrelated texts: below that a model tells nothing apart, and its cosines stay as they are"""
_STEEPEST = 8.0

PAIRS = (
    ("When does the lease of the flat end?", "The tenancy of the apartment is fixed until 31 August 2027."),
    ("What does the piano lesson cost?", "Forty minutes at the piano with Mrs Lindqvist are 32 euros."),
    ("Who repairs the roof?", "Hallam Roofing will replace the broken ridge tiles in May."),
    ("Is the dog insured?", "The policy covers damage that your pet does to other people's property."),
    ("What did the doctor prescribe?", "Take one tablet of amoxicillin three times a day for a week."),
    ("When is the parents' evening?", "Teachers meet mothers and fathers on Tuesday at seven in the assembly hall."),
    ("How much tax was refunded?", "The assessment for last year shows an overpayment of 412 pounds, to be paid out."),
    ("Where is the car parked at the airport?", "Your bay is on level 3, row F, of the long-stay car park."),
    ("What is the notice period of the job?", "Employment may be ended by either side with three months' warning."),
    ("Which train goes to Lyon?", "Departure of TGV 6607 to Lyon Part-Dieu is at 9:58 from platform C."),
    ("Did the washing machine break?", "The drum no longer spins and water runs out at the door of the laundry unit."),
    ("What are the results of the trial?", "Patients given the drug had fewer infarctions than those on placebo."),
    ("Who owns the copyright?", "All rights in the work pass to the publisher on payment of the fee."),
    ("What is on the menu on Friday?", "At the end of the week the canteen serves trout with almonds."),
    ("How is the password changed?", "Open the account page, choose security, and type the new secret twice."),
    ("What was decided about the garden fence?", "The neighbours agreed to share the price of a new wooden boundary."),
)


def apart(embedder: "Embedder") -> tuple[float, float]:
    """The mean cosine of unrelated, and of related texts."""
    import numpy as np

    questions = np.stack([embedder.embed_question(question) for question, _ in PAIRS])
    cosines = questions @ embedder.embed([passage for _, passage in PAIRS]).T
    same = np.eye(len(PAIRS), dtype=bool)
    return float(cosines[~same].mean()), float(cosines[same].mean())


def line(own: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Slope and offset that bring the other's (unrelated, related) onto our own."""
    if other[1] - other[0] < LEAST_APART:
        return 1.0, 0.0
    slope = min(_STEEPEST, (own[1] - own[0]) / (other[1] - other[0]))
    return slope, own[0] - slope * other[0]
