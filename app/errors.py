"""Every error the project raises on purpose, with the HTTP answer each one stands for.

    QrestoreError
    ├── RequestError                 the client's to mend
    │   ├── MalformedBody      400   multipart or JSON that does not parse
    │   ├── UploadTooLarge     413   more bytes than the service takes
    │   ├── UnsupportedBody    415   neither multipart nor JSON
    │   ├── UnsupportedImage   415   bytes in a format that is not on the allow-list
    │   ├── MissingInput       422   no image in the request
    │   ├── TooManyFiles       422   more files than the request may hold
    │   ├── InvalidImage       422   an allowed format whose content does not decode
    │   │   └── ImageTooLarge  422   more pixels than the service takes
    │   └── UnknownNetwork     422   a network that is not loaded
    └── ServiceError                 ours to mend
        ├── InternalError      500   stands in for anything unforeseen
        ├── NotReady           503   still loading, or shutting down
        └── InvalidCheckpoint   -    at start-up only: the service refuses to start

An image that is readable but holds no code is an outcome, not an error.
"""

from os import PathLike, fspath
from typing import ClassVar, Final


class QrestoreError(Exception):
    """Root of the tree. `detail` is public: it must name no path, library or internal state.

    `status` is the HTTP status, `title` the constant summary of the type, `category` the metric label.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    category: ClassVar[str] = "internal"
    default_detail: ClassVar[str] = "The service could not process the request."

    def __init__(self, detail: str | None = None) -> None:
        self.detail = self.default_detail if detail is None else detail
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


class ServiceError(QrestoreError):
    pass


class InternalError(ServiceError):
    pass


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


UPLOAD_ERRORS: Final = (
    MalformedBody,
    UploadTooLarge,
    UnsupportedBody,
    UnsupportedImage,
    MissingInput,
    TooManyFiles,
    InvalidImage,
    ImageTooLarge,
    InternalError,
    NotReady,
)
"""What a request that uploads an image may be answered."""
