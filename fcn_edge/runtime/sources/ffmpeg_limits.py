"""What FFmpeg may open and decode for a source: what a file says of itself is not to be trusted."""

from __future__ import annotations

from fcn_edge.errors import SourceError

__all__ = ["DECODER_LIMITS", "FORMATS", "LIMITS", "LONGEST_SIDE", "MOST_PIXELS", "too_large"]

LONGEST_SIDE = 1 << 14
MOST_PIXELS = 1 << 27
"""Of a picture: a damaged header may announce any size. Cameras and codecs of video stay below both."""

FORMATS = (
    "3g2,3gp,apng,asf,av1,avi,dv,flv,gif,h264,hevc,ivf,jpeg_pipe,jpegxl_anim,live_flv,m4v,matroska,mj2,"
    "mjpeg,mjpeg_2000,mov,mp4,mpeg,mpegts,mpegvideo,mpjpeg,mxf,nsv,nut,obu,ogg,png_pipe,pva,rm,smjpeg,swf,vc1,"
    "vvc,webm,webp_pipe,wtv,yuv4mpegpipe"
)
"""FFmpeg's readers that may open a file or a pipe: those whose pictures lie in it. Playlists (HLS, DASH, concat, SDP,
IMF and others) name further files and addresses, and whoever wrote the file would choose what is opened. H.261, H.263
and Dirac without a container are left out: so little tells them from noise that noise is taken for them."""

LIMITS = {
    "format_whitelist": FORMATS,
    "protocol_whitelist": "file",
}
"""FFmpeg's options for what opens files and pipes."""

DECODER_LIMITS = {"max_pixels": str(MOST_PIXELS)}
"""FFmpeg's options for decoders."""


def too_large(shown: str) -> SourceError:
    """The error of a video whose pictures are larger than these limits.

    Args:
        shown: What messages call it.
    """
    limits = f"{LONGEST_SIDE} pixels a side or {MOST_PIXELS // 10**6} million in all"
    return SourceError(
        f"{shown} announces pictures of more than {limits}: it is damaged, or no video.",
        "Give a smaller video.",
    )
