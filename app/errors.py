"""Every error the project raises on purpose, with the HTTP answer each one stands for.

    QrestoreError
    ├── RequestError                 the client's to mend
    │   ├── MalformedBody      400   HTTP, multipart or JSON that does not parse
    │   ├── Unauthorized       401   no API key, or one that is not known
    │   ├── RequestTimeout     408   a request that is not in by its deadline
    │   ├── UploadTooLarge     413   more bytes than the service takes
    │   ├── UnsupportedBody    415   neither multipart nor JSON
    │   ├── UnsupportedImage   415   bytes in a format that is not on the allow-list
    │   ├── MissingInput       422   no image in the request
    │   ├── TooManyFiles       422   more files than the request may hold
    │   ├── InvalidImage       422   an allowed format whose content does not decode
    │   │   └── ImageTooLarge  422   more pixels than the service takes
    │   ├── UnknownNetwork     422   a network that is not loaded
    │   └── Overloaded         429   every slot and every place in the queue is taken
    └── ServiceError                 ours to mend
        ├── InternalError      500   stands in for anything unforeseen
        ├── WorkerCrashed      500   the image ended the process that looked at it, twice
        ├── NotReady           503   still loading, or shutting down
        ├── QueueTimeout       503   the deadline passed while the request waited for a slot
        ├── ProcessingTimeout  504   the deadline passed while the image was worked on
        ├── InvalidCheckpoint   -    at start-up only: the service refuses to start
        └── InvalidConfiguration -   at start-up only: a setting that cannot be met

An image that is readable but holds no code is an outcome, not an error.
"""

from collections.abc import Mapping
from math import ceil
from os import PathLike, fspath
from types import MappingProxyType
from typing import ClassVar, Final


class QrestoreError(Exception):
    """Root of the tree. `detail` is public: it must name no path, library or internal state.

    `status` is the HTTP status, `title` the constant summary of the type, `category` the metric label.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    category: ClassVar[str] = "internal"
    default_detail: ClassVar[str] = "The service could not process the request."
    headers: Mapping[str, str] = MappingProxyType({})
    """What the answer's headers say beside the problem."""

    def __init__(self, detail: str | None = None, *, retry_after: float | None = None) -> None:
        """`retry_after`: seconds after which another try is worth while."""
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
    title = "API key needed"
    category = "unauthorized"
    default_detail = "Send a valid key in the header X-API-Key, or as a bearer token in Authorization."
    headers: Mapping[str, str] = MappingProxyType({"WWW-Authenticate": "Bearer"})


class RequestTimeout(RequestError):
    status = 408
    title = "Request too slow"
    category = "request_timeout"
    default_detail = "The request was not complete by its deadline."


class UploadTooLarge(RequestError):
    status = 413
    title = "Upload too large"
    category = "upload_too_large"
    default_detail = "The request body is larger than the service accepts."


class UnsupportedBody(RequestError):
    status = 415
    title = "Unsupported content type"
    category = "unsupported_body"
    default_detail = "Send multipart/form-data with a field named file, or application/json with image_base64."


class UnsupportedImage(RequestError):
    status = 415
    title = "Unsupported image format"
    category = "unsupported_image"
    default_detail = "The file is not a PNG, JPEG, WebP, BMP or GIF image."


class MissingInput(RequestError):
    status = 422
    title = "No image given"
    category = "missing_input"
    default_detail = "The request holds no image."


class TooManyFiles(RequestError):
    status = 422
    title = "Too many files"
    category = "too_many_files"
    default_detail = "The request holds more files than the service accepts."


class InvalidImage(RequestError):
    status = 422
    title = "Invalid image"
    category = "invalid_image"
    default_detail = "The image is damaged or incomplete."


class ImageTooLarge(InvalidImage):
    title = "Image too large"
    category = "image_too_large"
    default_detail = "The image has more pixels than the service accepts."


class UnknownNetwork(RequestError):
    status = 422
    title = "Unknown network"
    category = "unknown_network"
    default_detail = "No network of that name is loaded."


class Overloaded(RequestError):
    status = 429
    title = "Too many requests"
    category = "overloaded"
    default_detail = "Every place is taken. Try again later."


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
    default_detail = "The request waited for its turn until its deadline. Try again later."


class ProcessingTimeout(ServiceError):
    status = 504
    title = "Processing took too long"
    category = "processing_timeout"
    default_detail = "The image could not be read in the time there was."


class NotReady(ServiceError):
    status = 503
    title = "Not ready"
    category = "not_ready"
    default_detail = "The service is not ready to take requests."


class InvalidCheckpoint(ServiceError):
    """A weights file that cannot be served. Its text names the file: for the operator's terminal, never for HTTP."""

    title = "Invalid checkpoint"
    category = "invalid_checkpoint"

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        self.path = fspath(path)
        self.reason = reason
        super().__init__(f"cannot load weights from {self.path}: {reason}")


class InvalidConfiguration(ServiceError):
    """A setting that cannot be met. Its text is for the operator's terminal, never for HTTP."""

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
    Overloaded,
    InternalError,
    WorkerCrashed,
    NotReady,
    QueueTimeout,
    ProcessingTimeout,
)
"""What a request that uploads an image may be answered."""
