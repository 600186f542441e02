"""VRTs that run in circles, name what is not there, declare what they do not have, or have bytes changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from tests.engine.rasters import cube, write_tiff
from tests.faults.hostile import CHANGES, FUZZ, Trials, change

HEAD = '<VRTDataset rasterXSize="{cols}" rasterYSize="{rows}">'
BAND = (
    '<VRTRasterBand dataType="{kind}" band="{band}"{subclass}>{inside}<SimpleSource>'
    '<SourceFilename relativeToVRT="1">{file}</SourceFilename><SourceBand>{source_band}</SourceBand>'
    '<SrcRect xOff="0" yOff="0" xSize="{width}" ySize="13"/><DstRect xOff="0" yOff="0" xSize="{width}" ySize="13"/>'
    "</SimpleSource></VRTRasterBand>"
)
PLAIN = {
    "cols": 9,
    "rows": 13,
    "kind": "Int16",
    "subclass": "",
    "inside": "",
    "file": "base.tif",
    "source_band": "{band}",
    "width": 9,
}


def vrt(n_bands: int = 4, **changes: object) -> str:
    facts = {**PLAIN, **changes}
    bands = "".join(
        BAND.format(**{**facts, "band": band, "source_band": str(facts["source_band"]).format(band=band)})
        for band in range(1, n_bands + 1)
    )
    return HEAD.format(**facts) + bands + "</VRTDataset>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tiff(tmp_path / "base.tif", cube(13, 9, 4, "int16"))
    return tmp_path


def test_the_file_as_it_should_be(folder: Path, trials: Trials) -> None:
    (folder / "plain.vrt").write_text(vrt())
    assert trials.detect(folder / "plain.vrt").deviation is not None


@pytest.mark.parametrize("length", [1, 2, 3, 20])
def test_files_in_a_circle(length: int, folder: Path, trials: Trials) -> None:
    for index in range(length):
        (folder / f"{index}.vrt").write_text(vrt(file=f"{(index + 1) % length}.vrt"))
    assert not trials.detect(folder / "0.vrt").gave_a_result
    trials.info(folder / "0.vrt")


ODD = [
    *({"cols": value} for value in ("0", "-1", "1", "10", "1000000", "2147483647", "99999999999", "x", "")),
    *({"rows": value} for value in ("0", "-1", "1", "14", "1000000", "2147483647", "99999999999", "x", "")),
    {"cols": "2147483647", "rows": "2147483647"},
    *({"kind": value} for value in ("Byte", "Float64", "CFloat32", "Unknown", "", "Int65", "UInt64")),
    *({"width": value} for value in ("0", "-3", "5", "1000", "1e300", "nan", "inf", "x")),
    *({"source_band": value} for value in ("0", "1", "-1", "5", "99999999999", "mask", "mask,1", "x", "")),
    *(
        {"file": value}
        for value in ("", "none.tif", ".", "..", "/", "/dev/null", "/etc/hostname", "base.tif&amp;", "&#0;")
    ),
    *({"file": value} for value in ("x" * 5000, "https://192.0.2.1/a.tif", "/vsizip/base.tif/a", "MEM:::", "base.vrt")),
    *(
        {"subclass": f' subClass="{value}"'}
        for value in ("VRTRawRasterBand", "VRTDerivedRasterBand", "VRTWarpedRasterBand", "x")
    ),
    *({"inside": f"<NoDataValue>{value}</NoDataValue>"} for value in ("nan", "x", "1e999", "-32768", "")),
    *({"inside": f"<Scale>{value}</Scale><Offset>1</Offset>"} for value in ("0", "nan", "inf", "1e300", "-1", "x")),
]


@pytest.mark.parametrize("changes", ODD, ids=str)
def test_a_word_that_says_something_else(changes: dict[str, str], folder: Path, trials: Trials) -> None:
    path = folder / "odd.vrt"
    path.write_text(vrt(**changes))
    trials.detect(path)
    if "file" in changes:
        trials.info(path)


WHOLE = {
    "nothing": "",
    "no band": HEAD.format(cols=9, rows=13) + "</VRTDataset>",
    "no end": HEAD.format(cols=9, rows=13),
    "no size": "<VRTDataset>" + "</VRTDataset>",
    "deep": "<VRTDataset>" * 50_000,
    "many attributes": "<VRTDataset " + 'a="1" ' * 50_000 + "/>",
    "entities": '<!DOCTYPE v [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + vrt().replace("base.tif", "&b;"),
    "an outer entity": '<!DOCTYPE v [<!ENTITY a SYSTEM "file:///etc/hostname">]>' + vrt().replace("base.tif", "&a;"),
    "a mask of another size": vrt().replace(
        "</VRTDataset>",
        '<MaskBand><VRTRasterBand dataType="Byte"><SimpleSource><SourceFilename relativeToVRT="1">odd.vrt'
        "</SourceFilename><SourceBand>mask</SourceBand></SimpleSource></VRTRasterBand></MaskBand></VRTDataset>",
    ),
    "an overview that is itself": vrt(
        inside='<Overview><SourceFilename relativeToVRT="1">odd.vrt</SourceFilename>'
        "<SourceBand>1</SourceBand></Overview>"
    ),
    "a georeference of nonsense": vrt().replace(
        "<VRTRasterBand", "<SRS>x[</SRS><GeoTransform>nan, 1, x</GeoTransform><VRTRasterBand", 1
    ),
    "a warp of itself": vrt().replace("<VRTDataset", '<VRTDataset subClass="VRTWarpedDataset"'),
    "pansharpened": vrt().replace("<VRTDataset", '<VRTDataset subClass="VRTPansharpenedDataset"'),
}


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE.keys())
def test_other_texts(text: str, folder: Path, trials: Trials) -> None:
    (folder / "odd.vrt").write_text(text)
    trials.detect(folder / "odd.vrt")
    trials.info(folder / "odd.vrt")


def test_code_in_a_file_is_not_run(folder: Path, trials: Trials) -> None:
    ran = folder / "ran"
    code = f"<PixelFunctionLanguage>Python</PixelFunctionLanguage><PixelFunctionType>f</PixelFunctionType><PixelFunctionCode><![CDATA[open({str(ran)!r}, 'w')\ndef f(*a, **k): pass\n]]></PixelFunctionCode>"  # noqa: E501
    (folder / "code.vrt").write_text(vrt(subclass=' subClass="VRTDerivedRasterBand"', inside=code))
    assert not trials.detect(folder / "code.vrt").gave_a_result
    assert not ran.exists()


@FUZZ
@given(changes=CHANGES)
def test_bytes_changed(changes: list[tuple[float, int]], folder: Path, trials: Trials) -> None:
    content = bytearray(vrt().encode())
    change(content, changes)
    (folder / "odd.vrt").write_bytes(content)
    trials.detect(folder / "odd.vrt")
