"""The releases of onnxruntime, and the Pythons that each has wheels for."""

from __future__ import annotations

Version = tuple[int, ...]

RELEASES = (
    *("1.2.0", "1.3.0", "1.4.0", "1.5.1", "1.5.2", "1.6.0", "1.7.0", "1.8.0", "1.8.1"),
    *("1.9.0", "1.10.0", "1.11.0", "1.11.1", "1.12.0", "1.12.1", "1.13.1", "1.14.0", "1.14.1"),
    *("1.15.0", "1.15.1", "1.16.0", "1.16.1", "1.16.2", "1.16.3", "1.17.0", "1.17.1", "1.17.3"),
    *("1.18.0", "1.18.1", "1.19.0", "1.19.2", "1.20.0", "1.20.1", "1.21.0", "1.21.1"),
    *("1.22.0", "1.22.1", "1.23.0", "1.23.1", "1.23.2", "1.24.1", "1.24.2", "1.24.3", "1.24.4"),
    *("1.25.0", "1.25.1", "1.26.0", "1.27.0", "1.28.0", "1.29.0", "1.30.0", "1.31.0", "1.31.1"),
    "1.32.0",
)
"""Every release with a wheel for Python 3.8 or newer, the oldest first."""

_NEWEST: Version = (10**6,)
WHEELS: dict[Version, tuple[Version, Version]] = {
    (3, 8): ((1, 2), (1, 19)),
    (3, 9): ((1, 7), (1, 19)),
    (3, 10): ((1, 12), (1, 23)),
    (3, 11): ((1, 15), _NEWEST),
    (3, 12): ((1, 17), _NEWEST),
    (3, 13): ((1, 20), _NEWEST),
}
"""By Python, the first and the last minor release with a wheel for it."""

FIRST_WITH_NUMPY_2: Version = (1, 19)


def version_of(text: str) -> Version:
    """Return ``1.20.1`` as (1, 20, 1); what is no number ends it."""
    numbers = []
    for part in text.split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)


def newest_of_each_minor(python: Version) -> list[str]:
    """Return the last release of each minor with a wheel for this Python, the oldest first."""
    last = {version_of(release)[:2]: release for release in RELEASES}
    return [release for minor, release in last.items() if has_wheel(minor, python)]


def has_wheel(release: Version, python: Version) -> bool:
    """Whether the release has a wheel for Python (major, minor); of a newer one than known, yes."""
    if python not in WHEELS:
        return python > max(WHEELS)
    first, last = WHEELS[python]
    return first <= release[:2] <= last
