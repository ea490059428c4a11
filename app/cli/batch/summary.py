"""What a command says at its end, and its exit status."""

from collections import Counter

from app.cli.terminal import BAD_FILE, NOT_ALL_READ, SUCCESS, complain


def sum_up(statuses: Counter[int], *, is_told: bool) -> int:
    """The exit status of all files, by how many give which; said on standard error, with the counts if ``is_told``."""
    if not statuses:
        complain("there is no file to read")
    elif is_told:
        complain(
            f"{statuses.total()} files: {statuses[SUCCESS]} read, {statuses[NOT_ALL_READ]} not or not wholly read, "
            f"{statuses[BAD_FILE]} with problems"
        )
    return max(statuses, default=SUCCESS)
