"""Every error the project raises on purpose, with the HTTP answer each one stands for.

    QrestoreError
    ├── RequestError                 the client can fix it
    │   ├── MalformedBody      400   HTTP, multipart or JSON that does not parse
    │   ├── Unauthorized       401   no API key, or an unknown one
    │   ├── RequestTimeout     408   a request that is incomplete at its deadline
    │   ├── UploadTooLarge     413   more bytes than the service accepts
    │   ├── TargetTooLong      414   a path and query that no request of the service needs
    │   ├── UnsupportedBody    415   neither multipart nor JSON nor an image
    │   │   └── EncodedBody    415   a body in a content coding, such as gzip
    │   ├── UnsupportedImage   415   a file format that is not on the allow-list
    │   ├── MissingInput       422   no image in the request
    │   ├── TooManyFiles       422   more files than the request may have
    │   ├── InvalidImage       422   an allowed format whose content does not decode
    │   │   ├── ImageTooLarge  422   more pixels than the service accepts
    │   │   └── EncryptedFile  422   a document that asks for a password
    │   ├── NoSuchPage         422   pages that the file does not have
    │   ├── UnknownNetwork     422   a network that is not loaded
    │   ├── RegionOutside      422   a region that exceeds the image
    │   ├── Misdirected        421   a host that the service does not go by
    │   ├── Overloaded         429   every slot and the whole queue are taken, or too many uploads arrive
    │   └── HeadTooLarge       431   more or longer header fields than the service reads
    └── ServiceError                 only the operator or a developer can fix it
        ├── InternalError      500   stands in for any unforeseen exception
        ├── WorkerCrashed      500   the image crashed two processes
        ├── NotReady           503   loading, shutting down, or unable to run children or networks
        ├── QueueTimeout       503   the deadline passed while the request waited for a slot
        ├── ProcessingTimeout  504   the deadline passed while the image was processed
        ├── InvalidCheckpoint   -    at start-up only: a weights file that cannot be served
        └── InvalidConfiguration -   at start-up only: a setting that cannot be met

A readable image without a code is an outcome, not an error.
"""

from collections.abc import Mapping
from math import ceil
from os import PathLike, fspath
from types import MappingProxyType
from typing import ClassVar, Final

ACCEPTED_FILES: Final = "PNG, JPEG, WebP, GIF, BMP, TIFF, HEIC, AVIF, JPEG 2000, PNM and PDF"
"""The formats that the service reads, in words."""


def problem_type(category: str) -> str:
    """The name of a type of problems (RFC 9457), for programs; `QrestoreError.category` says which."""
    return f"urn:qrestore:problem:{category}"


class QrestoreError(Exception):
    """The root of the project's errors. `detail` is public: it must not name paths, libraries or internal state.

    `status` is the HTTP status, `title` the constant summary of the type, `category` its label in metrics.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    category: ClassVar[str] = "internal"
    default_detail: ClassVar[str] = "The service could not process the request."
    headers: Mapping[str, str] = MappingProxyType({})
    """Further headers of the answer."""

    def __init__(self, detail: str | None = None, *, retry_after: float | None = None) -> None:
        """``retry_after``: seconds after which the client may try again."""
        self.detail = self.default_detail if detail is None else detail
        if retry_after is not None:
            self.headers = {**self.headers, "Retry-After": str(max(1, ceil(retry_after)))}
        super().__init__(self.detail)


class RequestError(QrestoreError):
    status = 400
    title = "Bad request"
    category = "request"
    default_detail = "The request is not valid."


class MalformedBody(RequestError):
    title = "Malformed body"
    category = "malformed_body"
    default_detail = "The request body could not be parsed."


class Unauthorized(RequestError):
    status = 401
    title = "API key required"
    category = "unauthorized"
    default_detail = "Send a valid key in the header X-API-Key, or as a bearer token in Authorization."
    headers: Mapping[str, str] = MappingProxyType({"WWW-Authenticate": "Bearer"})


class RequestTimeout(RequestError):
    status = 408
    title = "Request too slow"
    category = "request_timeout"
    default_detail = "The request was incomplete at its deadline."


class UploadTooLarge(RequestError):
    status = 413
    title = "Upload too large"
    category = "upload_too_large"
    default_detail = "The request body is larger than the service accepts."


class TargetTooLong(RequestError):
    status = 414
    title = "URI too long"
    category = "target_too_long"
    default_detail = "The path and query are longer than any that the service needs."


class UnsupportedBody(RequestError):
    status = 415
    title = "Unsupported content type"
    category = "unsupported_body"
    default_detail = (
        "Send multipart/form-data with a field named file, application/json with image_base64, or the file itself as "
        "image/*, video/*, application/pdf or application/octet-stream."
    )


class EncodedBody(UnsupportedBody):
    title = "Unsupported content coding"
    category = "encoded_body"
    default_detail = "Send the body as it is, without Content-Encoding."
    headers: Mapping[str, str] = MappingProxyType({"Accept-Encoding": "identity"})


class UnsupportedImage(RequestError):
    status = 415
    title = "Unsupported image format"
    category = "unsupported_image"
    default_detail = f"The file is of no kind that the service reads: {ACCEPTED_FILES}."


class MissingInput(RequestError):
    status = 422
    title = "No image given"
    category = "missing_input"
    default_detail = "The request contains no image."


class TooManyFiles(RequestError):
    status = 422
    title = "Too many files"
    category = "too_many_files"
    default_detail = "The request contains more files than the service accepts."


class InvalidImage(RequestError):
    status = 422
    title = "Invalid image"
    category = "invalid_image"
    default_detail = "The image is damaged or incomplete."


class ImageTooLarge(InvalidImage):
    title = "Image too large"
    category = "image_too_large"
    default_detail = "The image has more pixels than the service accepts."


class EncryptedFile(InvalidImage):
    title = "Encrypted file"
    category = "encrypted_file"
    default_detail = "The file asks for a password. Send it without encryption."


class NoSuchPage(RequestError):
    status = 422
    title = "No such page"
    category = "no_such_page"
    default_detail = "The file does not have the pages that the request asks for."


class UnknownNetwork(RequestError):
    status = 422
    title = "Unknown network"
    category = "unknown_network"
    default_detail = "No network with that name is loaded."


class RegionOutside(RequestError):
    status = 422
    title = "Region outside the image"
    category = "region_outside"
    default_detail = "The region exceeds the image."


class Misdirected(RequestError):
    status = 421
    title = "Misdirected request"
    category = "misdirected"
    default_detail = "The service does not answer for this host."


class Overloaded(RequestError):
    status = 429
    title = "Too many requests"
    category = "overloaded"
    default_detail = "The service is at capacity. Try again later."


class HeadTooLarge(RequestError):
    status = 431
    title = "Request header fields too large"
    category = "head_too_large"
    default_detail = "The head of the request has more or longer fields than the service reads."


class ServiceError(QrestoreError):
    pass


class InternalError(ServiceError):
    pass


class WorkerCrashed(ServiceError):
    category = "worker_crashed"
    default_detail = "The image could not be processed."


class QueueTimeout(ServiceError):
    status = 503
    title = "Waited too long"
    category = "queue_timeout"
    default_detail = "The request reached its deadline before its turn came. Try again later."


class ProcessingTimeout(ServiceError):
    status = 504
    title = "Processing took too long"
    category = "processing_timeout"
    default_detail = "The image could not be processed before the deadline."


class NotReady(ServiceError):
    status = 503
    title = "Not ready"
    category = "not_ready"
    default_detail = "The service is not ready for requests."


class InvalidCheckpoint(ServiceError):
    """A weights file that cannot be served. Its detail names the file, for the operator's terminal, never for HTTP."""

    title = "Invalid checkpoint"
    category = "invalid_checkpoint"

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        self.path = fspath(path)
        self.reason = reason
        super().__init__(f"cannot load weights from {self.path}: {reason}")


class InvalidConfiguration(ServiceError):
    """A setting that cannot be met. Its detail is for the operator's terminal, never for HTTP."""

    title = "Invalid configuration"
    category = "invalid_configuration"


UPLOAD_ERRORS: Final = (
    MalformedBody,
    Unauthorized,
    RequestTimeout,
    UploadTooLarge,
    UnsupportedBody,
    UnsupportedImage,
    MissingInput,
    TooManyFiles,
    InvalidImage,
    ImageTooLarge,
    RegionOutside,
    EncryptedFile,
    NoSuchPage,
    Overloaded,
    InternalError,
    WorkerCrashed,
    NotReady,
    QueueTimeout,
    ProcessingTimeout,
)
"""The errors that may answer an upload."""
