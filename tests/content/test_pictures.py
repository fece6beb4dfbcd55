"""Pictures: what is loaded, what is refused, and how the editor hears of it."""

import hashlib
import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from dispatcher.content.drawing.picture_weight import picture_warnings
from dispatcher.content.drawing.pictures import MAX_BYTES, Unusable, load_picture, place_pictures, read_picture
from dispatcher.content.tree import Figure, Items, Quotation, Sponsor
from tests.content.trees import document, figure, story


def drawn(kind: str = "PNG", size: tuple[int, int] = (40, 20), mode: str = "RGB") -> bytes:
    written = io.BytesIO()
    Image.new(mode, size).save(written, kind)
    return written.getvalue()


def put(folder: Path, content: bytes, name: str = "a.png") -> str:
    (folder / name).write_bytes(content)
    return name


def complaint(folder: Path, source: str) -> str:
    read = read_picture(folder, source)
    assert isinstance(read, Unusable)
    assert load_picture(folder, source) is None
    return f"{read.message}; {read.remedy}"


@pytest.mark.parametrize(
    ("kind", "ending", "media_type"),
    [("PNG", ".png", "image/png"), ("JPEG", ".jpg", "image/jpeg"), ("GIF", ".gif", "image/gif")],
)
def test_a_picture_is_named_after_its_content_and_typed_by_it(
    tmp_path: Path, kind: str, ending: str, media_type: str
) -> None:
    content = drawn(kind)
    picture = load_picture(tmp_path, put(tmp_path, content, "misleading.txt"))
    assert picture is not None
    assert picture.name == hashlib.sha256(content).hexdigest()[:20] + ending
    assert (picture.media_type, picture.width, picture.height) == (media_type, 40, 20)
    assert picture.content == content


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "RGB"), ("PNG", "P"), ("PNG", "1"), ("PNG", "I;16"), ("JPEG", "CMYK"), ("GIF", "P")]
)
def test_a_wide_picture_is_scaled_to_1280_the_same_each_time(tmp_path: Path, kind: str, mode: str) -> None:
    source = put(tmp_path, drawn(kind, (2560, 200), mode))
    picture = load_picture(tmp_path, source)
    assert picture is not None
    assert (picture.width, picture.height) == (1280, 100)
    assert Image.open(io.BytesIO(picture.content)).size == (1280, 100)
    assert load_picture(tmp_path, source) == picture


def test_a_photograph_held_sideways_is_set_upright(tmp_path: Path) -> None:
    written, turned = io.BytesIO(), Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (40, 20)).save(written, "JPEG", exif=turned)
    picture = load_picture(tmp_path, put(tmp_path, written.getvalue()))
    assert picture is not None
    assert (picture.width, picture.height) == (20, 40)


def test_an_animation_keeps_its_frames(tmp_path: Path) -> None:
    written = io.BytesIO()
    frames = [Image.new("P", (1500, 10), colour) for colour in (0, 1)]
    frames[0].putpalette([0, 0, 0, 255, 255, 255])
    frames[1].putpalette([0, 0, 0, 255, 255, 255])
    frames[0].save(written, "GIF", save_all=True, append_images=frames[1:])
    picture = load_picture(tmp_path, put(tmp_path, written.getvalue()))
    assert picture is not None
    assert picture.content == written.getvalue()


def test_a_missing_picture_says_what_to_do(tmp_path: Path) -> None:
    assert complaint(tmp_path, "img/a.png") == "image img/a.png is missing; put it beside the issue or remove it"


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    assert "is missing" in complaint(tmp_path, "img")


def test_nothing_outside_the_folder_is_read(tmp_path: Path) -> None:
    issue = tmp_path / "29"
    issue.mkdir()
    outside = put(tmp_path, drawn(), "outside.png")
    (issue / "link.png").symlink_to(tmp_path / outside)
    for source in ("../outside.png", str(tmp_path / "outside.png"), "link.png"):
        assert "lies outside the issue's folder" in complaint(issue, source)


def test_a_link_in_a_circle_and_an_endless_name_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "a.png")
    assert "a.png" in complaint(tmp_path, "a.png")
    assert "cannot be read" in complaint(tmp_path, "x" * 5000)


def test_a_picture_on_another_server_is_refused(tmp_path: Path) -> None:
    assert "another server" in complaint(tmp_path, "https://example.org/a.png")


@pytest.mark.parametrize("kind", ["WEBP", "BMP", "TIFF"])
def test_a_type_that_mail_programs_do_not_show_is_refused(tmp_path: Path, kind: str) -> None:
    assert "is no PNG, JPEG or GIF" in complaint(tmp_path, put(tmp_path, drawn(kind)))


def test_svg_is_refused(tmp_path: Path) -> None:
    assert "is no PNG" in complaint(tmp_path, put(tmp_path, b"<svg xmlns='http://www.w3.org/2000/svg'/>"))


def test_a_damaged_picture_is_told(tmp_path: Path) -> None:
    wide = drawn(size=(200, 200), mode="RGB")
    assert "is damaged" in complaint(tmp_path, put(tmp_path, wide[:60]))


def test_a_picture_too_large_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert "larger than 10 MB" in complaint(tmp_path, "a.png")


@pytest.mark.parametrize("side", [8_000, 60_000])
def test_a_decompression_bomb_is_refused_unpacked(tmp_path: Path, side: int) -> None:
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunk = b"IHDR" + head
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    assert complaint(tmp_path, put(tmp_path, png + b"\0\0\0\0IDAT\x35\xaf\x06\x1e"))


def test_pictures_are_placed_wherever_figures_stand_and_faults_have_their_line(tmp_path: Path) -> None:
    put(tmp_path, drawn())
    good, bad = figure("a.png"), figure("b.png")
    made = document(story(Quotation(children=(good,)), Items(items=((good,),)), bad), intro=(good,))
    placed, faults = place_pictures(made, tmp_path)
    quotation, items, missing = placed.sections[0].stories[0].body
    found = [placed.intro[0], quotation.children[0], items.items[0][0]]  # type: ignore[union-attr, index]
    assert all(isinstance(block, Figure) and block.picture for block in found)
    assert isinstance(missing, Figure)
    assert missing.picture is None
    assert [str(fault) for fault in faults] == [
        "issues/29/issue.md:14: image b.png is missing; put it beside the issue or remove it"
    ]


def test_a_figure_s_dark_variant_and_a_sponsor_s_picture_are_placed_too(tmp_path: Path) -> None:
    put(tmp_path, drawn())
    put(tmp_path, drawn(size=(50, 20)), "dark.png")
    both = replace(figure("a.png"), dark_source="dark.png")
    half = replace(figure("a.png"), dark_source="gone.png")
    sponsor = Sponsor(url="https://example.com", name="Leaf", label="", figure=both, body=(both,))
    placed, faults = place_pictures(document(story(both, half, sponsor)), tmp_path)
    hung, lacking, paid = placed.sections[0].stories[0].body
    assert isinstance(hung, Figure)
    assert (hung.picture and hung.picture.width, hung.dark and hung.dark.width) == (40, 50)
    assert isinstance(lacking, Figure)
    assert (lacking.picture, lacking.dark) == (hung.picture, None)
    assert isinstance(paid, Sponsor)
    assert paid == replace(sponsor, figure=hung, body=(hung,))
    assert [fault.message for fault in faults] == ["image gone.png is missing"]


# --- warnings -------------------------------------------------------------------------------------


def noise(size: tuple[int, int]) -> bytes:
    """A picture that no format makes smaller."""
    written = io.BytesIO()
    Image.frombytes("L", size, Random(29).randbytes(size[0] * size[1])).save(written, "PNG")  # noqa: S311
    return written.getvalue()


def warned(folder: Path, *sources: str) -> list[str]:
    placed, faults = place_pictures(document(story(*(figure(each) for each in sources))), folder)
    assert faults == ()
    return [str(fault) for fault in picture_warnings(placed, "issues/29/issue.md")]


def test_a_heavy_picture_is_a_warning_once_wherever_it_stands(tmp_path: Path) -> None:
    put(tmp_path, drawn(), "light.png")
    put(tmp_path, noise((1100, 1100)), "heavy.png")
    assert warned(tmp_path, "light.png") == []
    (warning,) = warned(tmp_path, "heavy.png", "light.png", "heavy.png")
    assert warning.startswith("issues/29/issue.md:14: image heavy.png weighs 1.2 MB as it is sent; save it")


def test_a_picture_that_scaling_makes_light_is_none(tmp_path: Path) -> None:
    written = io.BytesIO()
    Image.linear_gradient("L").resize((3000, 1500)).save(written, "PNG", compress_level=0)
    assert len(written.getvalue()) > 4_000_000
    assert warned(tmp_path, put(tmp_path, written.getvalue())) == []


def test_many_pictures_are_weighed_together(tmp_path: Path) -> None:
    names = [put(tmp_path, noise((900, 1000 + number)), f"{number}.png") for number in range(4)]
    (warning,) = warned(tmp_path, *names)
    assert warning.startswith("issues/29/issue.md: the pictures weigh 3.6 MB together")


def test_a_picture_that_moves_is_a_warning_and_one_that_stands_is_none(tmp_path: Path) -> None:
    put(tmp_path, drawn("GIF"), "still.gif")
    written = io.BytesIO()
    frames = [Image.new("L", (40, 20), shade) for shade in (0, 255)]
    frames[0].save(written, "GIF", save_all=True, append_images=frames[1:])
    put(tmp_path, written.getvalue(), "moving.gif")
    (warning,) = warned(tmp_path, "still.gif", "moving.gif")
    assert "image moving.gif moves, and Outlook for Windows shows its first frame only; let the" in warning
