"""Small files of every kind, sound and poisoned, made on the spot."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" ContentType="application/'
    'vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
_RELATIONSHIPS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
    'relationships/officeDocument" Target="word/document.xml"/></Relationships>'
)


def pdf(pages: Sequence[str], *, title: str = "", trailer: str = "") -> bytes:
    """A PDF with a line of Helvetica a page; a page's text may bring PDF operators of its own."""
    count = len(pages)
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(count))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F 3 0 R >> >> >>".encode()
        )
        objects.append(_stream(f"BT /F 12 Tf 72 720 Td ({text}) Tj ET".encode()))
    info = len(objects) + 1
    objects.append(f"<< /Title ({title}) >>".encode())
    return _whole_pdf(objects, f"/Root 1 0 R /Info {info} 0 R {trailer}")


def encrypted_pdf() -> bytes:
    """A PDF whose password nobody knows."""
    return pdf(
        ["secret"],
        trailer=f"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{'00' * 32}> /U <{'11' * 32}> >> "
        f"/ID [<{'22' * 16}> <{'22' * 16}>]",
    )


def pdf_with_endless_page(number: int, count: int) -> bytes:
    """One page draws a form that draws a form ten times, eight deep: more than any reader can do."""
    first_form = 4 + 2 * count
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{' '.join(f'{4 + 2 * n} 0 R' for n in range(count))}] "
        f"/Count {count} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for page in range(1, count + 1):
        words = (
            b"/X Do" if page == number else f"BT /F 12 Tf 72 720 Td (page {page}) Tj ET".encode()
        )
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {3 + 2 * page} 0 R "
            f"/Resources << /Font << /F 3 0 R >> /XObject << /X {first_form} 0 R >> >> >>".encode()
        )
        objects.append(_stream(words))
    depth = 8
    for level in range(depth):
        inner = first_form + level + 1
        body = b"/X Do " * 10 if level < depth - 1 else b"BT /F 12 Tf 72 720 Td (deep) Tj ET"
        objects.append(
            _stream(
                body,
                "/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /Font << /F 3 0 R >> "
                f"/XObject << /X {inner} 0 R >> >>",
            )
        )
    return _whole_pdf(objects, "/Root 1 0 R")


def pdf_with_mapped_letters(first: str, second: str) -> bytes:
    """A page "A and B" whose font says that A and B mean these UTF-16 units."""
    meaning = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def "
        "/CMapType 2 def\n1 begincodespacerange <00> <FF> endcodespacerange\n"
        f"2 beginbfchar <41> {first} <42> {second} endbfchar endcmap end end"
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R "
        b"/Resources << /Font << /F 3 0 R >> >> >>",
        _stream(b"BT /F 12 Tf 72 720 Td (A and B) Tj ET"),
        _stream(meaning.encode()),
    ]
    return _whole_pdf(objects, "/Root 1 0 R")


def docx(
    document: str = "", members: Mapping[str, bytes] = MappingProxyType({}), *, prolog: str = ""
) -> bytes:
    """A Word file with this XML in its body, and ``members`` beside it."""
    xml = f'{prolog}<w:document xmlns:w="{_WORD}"><w:body>{document}</w:body></w:document>'
    return zipped(
        {
            "[Content_Types].xml": _CONTENT_TYPES.encode(),
            "_rels/.rels": _RELATIONSHIPS.encode(),
            "word/document.xml": xml.encode(),
            **members,
        }
    )


# A picture that is not in the file but at the place that relationship rId9 names.
LINKED_PICTURE = (
    '<w:p><w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/'
    'wordprocessingDrawing"><wp:docPr id="1" name="p" descr="a cup"/>'
    '<a:graphic xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><a:graphicData>'
    '<pic:pic xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:blipFill>'
    '<a:blip xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'r:link="rId9"/></pic:blipFill></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing>'
    "</w:r></w:p>"
)


def relationship_to_picture(target: str) -> bytes:
    """What says that the linked picture is at ``target``."""
    return (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId9" TargetMode="External" Type="http://schemas.openxmlformats.org/'
        f'officeDocument/2006/relationships/image" Target="{target}"/></Relationships>'
    ).encode()


def paragraph(text: str, style: str = "Normal") -> str:
    """A paragraph of a Word file."""
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'


def pptx(slides: Sequence[tuple[str, str]]) -> bytes:
    """A presentation of slides with title and text."""
    import pptx

    presentation = pptx.Presentation()
    for title, text in slides:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = text
    file = io.BytesIO()
    presentation.save(file)
    return file.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def write(path: Path, data: bytes | str) -> Path:
    """The file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def _stream(data: bytes, entries: str = "") -> bytes:
    return f"<< {entries} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def _whole_pdf(objects: Sequence[bytes], trailer: str) -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    start = len(out)
    out += f"xref\n0 {size}\n0000000000 65535 f \n{table}".encode()
    out += f"trailer\n<< /Size {size} {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)
