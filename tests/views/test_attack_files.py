"""Uploads that would run in our origin when they are shown."""

import pytest

from lineside.views import send_data


@pytest.mark.parametrize(
    "media_type",
    [
        "application/atom+xml",
        "application/mathml+xml",
        "application/rss+xml; charset=utf-8",
        "Application/XHTML+XML",
        "image/svg+xml",
        "text/xsl",
    ],
)
def test_any_kind_of_xml_is_shown_in_a_sandbox(media_type: str) -> None:
    """Browsers run scripts in the namespace of XHTML or SVG, whatever the document calls itself."""
    shown = send_data(b"<x/>", filename="x", disposition="inline", media_type=media_type)
    assert shown.headers["content-security-policy"] == "sandbox"
