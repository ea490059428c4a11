# The image of the service: docs/operations.md says how to run it and how large each layer is.
#
#   docker build --tag qrestore .
#   docker build --build-arg VARIANT=cuda --tag qrestore:cuda .
ARG PYTHON=3.11.17

FROM python:${PYTHON}-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends 'binutils=2.40-*' 'make=4.3-*' \
    && rm -rf /var/lib/apt/lists/*
# cpu: neither PyTorch nor CUDA gets in, or the build fails. cuda: the ordinary package index's PyTorch for x86-64.
ARG VARIANT=cpu
# Of pyproject.toml, separated by commas: otel for traces, onnx for the other engine.
ARG EXTRAS=""
# For pip, `no` means --no-compile: bytecode is made below, of what the service imports and no more.
ENV PIP_NO_CACHE_DIR=1 \
    PIP_NO_COMPILE=no \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv/qrestore
# Packages before sources, so that this layer, the largest by far, depends on these few files alone.
# The install is editable: it only records that the sources lie here, where the next stage puts them.
COPY Makefile pyproject.toml requirements.lock ./
COPY docker/build/trim.py docker/build/variant.py docker/build/
RUN touch README.md LICENSE \
    && make install EXTRAS="$(python docker/build/variant.py extras "$VARIANT" "$EXTRAS")" \
    && .venv/bin/python docker/build/variant.py found "$VARIANT" \
    && .venv/bin/python docker/build/trim.py .venv/lib/python*/site-packages

FROM python:${PYTHON}-slim-bookworm
# At least deb12u1, which closes CVE-2023-40889 and CVE-2023-40890.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends 'libzbar0=0.23.92-7+deb12u*' \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin qrestore
WORKDIR /srv/qrestore
ENV PATH=/srv/qrestore/.venv/bin:$PATH \
    QRESTORE_HOST=0.0.0.0 \
    QRESTORE_PORT=8000
COPY --from=build /srv/qrestore/.venv .venv
COPY LICENSE ./
COPY weights weights
COPY app app
# The build fails where anything is missing. What is imported here leaves its bytecode: the root is read-only later on.
RUN python -m compileall -q app && qrestore doctor && python -c 'import app.main'
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --start-period=60s --interval=15s --timeout=5s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"QRESTORE_PORT\"]}/readyz', timeout=4)"]
CMD ["qrestore", "serve"]
