# syntax=docker/dockerfile:1
# A node:   docker build -t gocron .
#           docker run -p 5920:5920 -v gocron:/var/lib/gocron gocron
# Tasks run inside this image: to give them more programs, build your own FROM it.

FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/gocron
WORKDIR /source
COPY requirements.lock ./
RUN /opt/gocron/bin/pip install --require-hashes --only-binary :all: -r requirements.lock
COPY LICENSE README.md pyproject.toml setup.py ./
COPY conf conf
COPY migrations migrations
COPY admin admin
COPY gocron gocron
RUN /opt/gocron/bin/pip install --no-deps . \
    && /opt/gocron/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim
RUN groupadd --gid 10001 gocron \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/gocron --no-create-home \
        --shell /usr/sbin/nologin gocron \
    && install --directory --mode 0700 --owner gocron --group gocron /var/lib/gocron
COPY --from=build /opt/gocron /opt/gocron
# Last in PATH: tasks inherit it, and their `python` is the image's own.
ENV PATH="${PATH}:/opt/gocron/bin" \
    GOCRON_HOME=/var/lib/gocron
WORKDIR /var/lib/gocron
VOLUME /var/lib/gocron
USER 10001:10001
EXPOSE 5920

HEALTHCHECK --interval=10s --timeout=5s --start-period=150s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('GOCRON_WEB_PORT', '5920') + '/healthz', timeout=4)"]

# No init in front: the node's parent process is made to be PID 1. SIGTERM drains.
STOPSIGNAL SIGTERM
ENTRYPOINT ["gocron"]
CMD ["web"]
