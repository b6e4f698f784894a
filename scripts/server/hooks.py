"""What no schema can say: a prompt fits the context of the bundled model, 512 tokens of at least a byte each."""

import schemathesis

CONTEXT = 500


def size(value, said: bool = False) -> int:
    """At least as many tokens as a prompt or conversation has."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass")) + 1 if said else 0
    if isinstance(value, dict):
        return sum(size(v, k in ("content", "text", "prompt")) for k, v in value.items())
    if isinstance(value, list):
        # Texts of a prompt are apart from each other, but that they all fit together is not much to ask.
        return len(value) + sum(size(v, said or isinstance(v, dict)) for v in value)
    return 0


@schemathesis.hook
def filter_body(_, body) -> bool:
    return size(body) <= CONTEXT
