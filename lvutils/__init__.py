"""The shared package of the book *Latent Variables, Executed*.

Two wings. The library wing (the modules of this folder) is what chapters import. The press wing (``lvutils.press``)
handles chapters from outside; the library wing never imports it.
"""

__all__ = ["Run", "begin"]
__version__ = "0.1.0"


def __getattr__(name: str):
    """``begin`` and ``Run`` are imported when asked for: they need torch, and the command line must answer at once."""
    if name in __all__:
        from lvutils import chapter

        return getattr(chapter, name)
    raise AttributeError(f"module 'lvutils' has no attribute {name!r}")
