"""Singular words for parameter and route names; English, small, and overridable."""

_IRREGULAR = {
    "aliases": "alias",
    "bonuses": "bonus",
    "buses": "bus",
    "caches": "cache",
    "campuses": "campus",
    "children": "child",
    "cookies": "cookie",
    "criteria": "criterion",
    "crises": "crisis",
    "feet": "foot",
    "geese": "goose",
    "indices": "index",
    "knives": "knife",
    "lenses": "lens",
    "lives": "life",
    "matrices": "matrix",
    "men": "man",
    "mice": "mouse",
    "people": "person",
    "quizzes": "quiz",
    "teeth": "tooth",
    "vertices": "vertex",
    "viruses": "virus",
    "wives": "wife",
    "women": "woman",
}
_SAME = frozenset({"equipment", "fish", "information", "money", "news", "series", "sheep", "species"})
# Longest ending first; what follows the bar is put in its place.
_ENDINGS = (
    ("statuses", "status"),
    ("analyses", "analysis"),
    ("movies", "movie"),
    ("shoes", "shoe"),
    ("sses", "ss"),
    ("shes", "sh"),
    ("ches", "ch"),
    ("xes", "x"),
    ("zzes", "zz"),
    ("oes", "o"),
    ("lves", "lf"),
    ("ies", "y"),
    ("ss", "ss"),
    ("us", "us"),
    ("is", "is"),
    ("s", ""),
)


def singular(plural: str) -> str:
    """Return the singular of the last word of a name (``"blog_posts"`` -> ``"blog_post"``).

    Args:
        plural: A name in snake case. A word it does not know comes back unchanged; say
            ``singular=`` in `resources` then.
    """
    head, separator, word = plural.rpartition("_")
    return f"{head}{separator}{_singular_word(word)}"


def _singular_word(word: str) -> str:
    if word in _SAME:
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for ending, instead in _ENDINGS:
        if word.endswith(ending):
            return word[: len(word) - len(ending)] + instead
    return word
