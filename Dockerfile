# The image of the service. CPU or CUDA is a matter of which PyTorch is installed: without an argument the package index's
# own wheel (CUDA on x86-64 Linux), with PIP_EXTRA_INDEX_URL the wheel of the index it names, such as PyTorch's for the CPU:
#
#   docker build --build-arg PIP_EXTRA_INDEX_URL=<URL of an index> --tag qrestore .
ARG PYTHON=3.11.15

FROM python:${PYTHON}-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends 'make=4.3-*' \
    && rm -rf /var/lib/apt/lists/*
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_NO_CACHE_DIR=1
WORKDIR /srv/qrestore
# Packages before sources, so that this layer, the largest by far, depends on pyproject.toml alone.
# The install is editable: the empty packages only mark where the next stage puts the real ones.
COPY Makefile pyproject.toml ./
RUN mkdir app training && touch README.md LICENSE app/__init__.py training/__init__.py \
    && make install

FROM python:${PYTHON}-slim-bookworm
# At least deb12u1, which closes CVE-2023-40889 and CVE-2023-40890.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends 'libzbar0=0.23.92-7+deb12u*' \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin qrestore
WORKDIR /srv/qrestore
ENV PATH=/srv/qrestore/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    QRESTORE_HOST=0.0.0.0 \
    QRESTORE_PORT=8000
COPY --from=build /srv/qrestore/.venv .venv
COPY LICENSE README.md ./
COPY weights weights
COPY app app
RUN python -m compileall -q app && qrestore doctor
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --start-period=60s --interval=15s --timeout=5s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"QRESTORE_PORT\"]}/readyz', timeout=4)"]
CMD ["qrestore", "serve"]
