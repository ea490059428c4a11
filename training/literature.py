"""Figures that the sources themselves publish, on their own data: to stand beside ours, not to be compared digit by
digit."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One line of a source, as its authors give it; sizes are parameters and multiply-accumulates."""

    source: str
    system: str
    size: str
    time: str
    quality: str


_ADNET = "Li et al., arXiv 2510.12098 (ADNet), 150 pictures, ZBar"
_JPEG = "Four-times super-resolution of JPEG-10 codes of 128 px, OpenCV decoding"

PUBLISHED_FIGURES = (
    Published(_ADNET, "LENet", "0.28 M, 3.87 G", "0.23 s", "49.33 % decoded"),
    Published(_ADNET, "NAFNet-32", "17.11 M, 64.44 G", "0.794 s", "81.33 % decoded"),
    Published(_ADNET, "Restormer", "26.13 M, 564.96 G", "0.838 s", "88.67 % decoded"),
    Published(_ADNET, "EG-Restormer", "26.13 M, 565.14 G", "0.910 s", "90.00 % decoded"),
    Published(_ADNET, "ADNet (routed)", "", "0.737 s", "90 % decoded"),
    Published(_ADNET, "random routing", "", "0.457 s", "72 % decoded"),
    Published(_JPEG, "bicubic", "", "", "22.78 % decoded"),
    Published(_JPEG, "WeChat", "", "", "68.71 % decoded"),
    Published(_JPEG, "RRDB-GAN", "", "", "53.66 % decoded"),
    Published(_JPEG, "the originals", "", "", "85.99 % decoded"),
    Published("SRResNet, natural images", "trained with L1", "", "", "29.96 dB, SSIM 0.8307"),
    Published("SRResNet, natural images", "trained with MSE", "", "", "30.51 dB, SSIM 0.8282"),
    Published(
        "PeerJ Computer Science e2841 (2025), 4,593 scans that OpenCV could not read", "EDSR", "", "", "92.8 % decoded"
    ),
)
