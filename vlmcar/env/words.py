"""Others' errors within lines of ours."""


def first_line(error: BaseException) -> str:
    """What an error says first; its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]
