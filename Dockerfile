# One image for simulate, ingest, console and setup; docker-compose.yml says which.
# The digest comes from deploy/images.lock (scripts/lock_images.sh fills it on a connected host).
ARG PYTHON_DIGEST=""

FROM python:3.11.16-slim-bookworm${PYTHON_DIGEST} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/twin
COPY requirements/runtime.lock /build/requirements/runtime.lock
# Every package by hash, none built here: no compiler in the image, nothing fetched by name only.
RUN /opt/twin/bin/pip install --require-hashes --only-binary :all: \
    -r /build/requirements/runtime.lock
COPY pyproject.toml README.md LICENSE /build/
COPY twin /build/twin
COPY services /build/services
COPY dashboards /build/dashboards
WORKDIR /build
# The lock holds the build backend too, so that this step needs no network.
RUN /opt/twin/bin/pip install --no-build-isolation --no-deps --no-index . \
    && /opt/twin/bin/python -m compileall -q /opt/twin/lib

FROM python:3.11.16-slim-bookworm${PYTHON_DIGEST}
LABEL org.opencontainers.image.title="Orbital Twin" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/twin/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TWIN_STATE_DIR=/var/lib/twin
# Volumes take owner and mode of the directories they cover when they are first made.
RUN groupadd --gid 10001 twin \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/twin \
       --shell /usr/sbin/nologin twin \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/twin \
    && install -d -o 10001 -g 10001 -m 2750 /run/twin-tokens
COPY --from=build /opt/twin /opt/twin
# Beside the packages, where they are in the repository: `flown-2026` is found by its name.
COPY scenarios /opt/twin/lib/python3.11/site-packages/scenarios
COPY data /opt/twin/lib/python3.11/site-packages/data
WORKDIR /var/lib/twin
USER 10001:10001
ENTRYPOINT ["twin"]
CMD ["--help"]
