"""Tables of HTML, as the rows that a reader sees."""

import re

__all__ = ["rows_of"]


def rows_of(html: str) -> list[list[str]]:
    """The cells of every row of every table body, as they are escaped; spaces around them do not count."""
    found = []
    for body in re.findall(r"<tbody>(.*?)</tbody>", html, re.DOTALL):
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL):
            cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
            found.append([re.sub(r"<[^>]+>", "", cell).strip() for cell in cells])
    return found
