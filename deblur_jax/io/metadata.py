"""What a photo's file says beside its pixels: EXIF, kept for the copy that is written."""

from PIL import Image


ORIENTATION = 0x0112
PROCESSING_SOFTWARE = 0x000B  # what a picture went through after the camera
EXIF_IFD, PIXELS_ACROSS, PIXELS_DOWN = 0x8769, 0xA002, 0xA003

# How a TIFF file lays out its pixels: true of that file alone.
LAYOUT = {
    0x00FE, 0x00FF, 0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x010A, 0x0111, 0x0115, 0x0116, 0x0117,
    0x011C, 0x013D, 0x0140, 0x0142, 0x0143, 0x0144, 0x0145, 0x014A, 0x0152, 0x0153, 0x015B, 0x8773,
}  # fmt: skip


def kept_exif(image: Image.Image, size: tuple[int, int]) -> bytes | None:
    """Returns the EXIF block of an opened image for a copy that is stored upright, or None.

    Args:
        image: as opened.
        size: width and height of the upright picture.
    """
    exif = image.getexif()
    for tag in LAYOUT & set(exif):
        del exif[tag]
    exif.pop(ORIENTATION, None)
    details = exif.get_ifd(EXIF_IFD)
    for tag, length in zip((PIXELS_ACROSS, PIXELS_DOWN), size, strict=True):
        if tag in details:
            details[tag] = length
    return exif.tobytes() if len(exif) else None


def with_history(exif: bytes | None, words: str) -> bytes:
    """Returns an EXIF block that also says what was done to the picture, after what it said."""
    block = Image.Exif()
    if exif:
        block.load(exif)
    before = block.get(PROCESSING_SOFTWARE)
    block[PROCESSING_SOFTWARE] = f"{before}; {words}" if before else words
    return block.tobytes()


def text_tags(exif: bytes | None) -> dict[int, str]:
    """Returns the texts of an EXIF block, such as the camera's maker, by tag."""
    block = Image.Exif()
    if exif:
        block.load(exif)
    return {tag: value for tag, value in block.items() if isinstance(value, str)}
