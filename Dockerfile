# biencoder serve. Weights other than those of `mini` are never in an image: mount a cache.
#   docker build --tag biencoder .
#   docker run --publish 127.0.0.1:8000:8000 biencoder
FROM python:3.11-slim AS build

# PyTorch's default build on Linux is the one with CUDA, some gigabytes. For the CPU build give the
# options of pip that https://pytorch.org/get-started/locally/ names:
#   docker build --build-arg TORCH_OPTIONS="--index-url ..." --tag biencoder .
ARG TORCH_OPTIONS=""
WORKDIR /source
RUN python -m venv /venv
COPY constraints.txt .
RUN /venv/bin/pip install --no-cache-dir --constraint constraints.txt $TORCH_OPTIONS torch
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN /venv/bin/pip install --no-cache-dir --constraint constraints.txt '.[otel]'

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 biencoder && mkdir /data && chown biencoder /data
COPY --from=build /venv /venv
USER biencoder
WORKDIR /data
ENV PATH=/venv/bin:$PATH \
    HF_HOME=/data/cache \
    BIENCODER_HOST=0.0.0.0 \
    BIENCODER_LOG_FORMAT=json \
    PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
# Live is enough here: a container that still loads its model is not sick.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD \
    ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/v1/health/live')"]
# No shell between: TERM reaches the service, which finishes what it has begun.
STOPSIGNAL SIGTERM
ENTRYPOINT ["biencoder"]
CMD ["serve"]
