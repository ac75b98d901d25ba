# docker build -t colloquy .
# docker run -p 8000:8000 -v colloquy:/var/lib/colloquy colloquy
# With COLLOQUY_DATABASE_URL and COLLOQUY_REDIS_URL it uses your servers (deploy/compose.yaml);
# without, it brings its own and keeps their data in /var/lib/colloquy.

FROM node:24-slim AS page
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY app/protocol /src/app/protocol
COPY web ./
RUN npm run build

FROM python:3.13-slim AS wheel
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/colloquy && \
    /opt/colloquy/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY deploy/launcher deploy/launcher
COPY docs docs
COPY alembic alembic
COPY app app
COPY --from=page /src/app/web/static app/web/static
RUN /opt/colloquy/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/colloquy colloquy && \
    install --directory --owner=colloquy --mode=0700 /var/lib/colloquy
COPY --from=wheel /opt/colloquy /opt/colloquy
ENV PATH=/opt/colloquy/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    COLLOQUY_DATA_DIR=/var/lib/colloquy
USER colloquy
WORKDIR /var/lib/colloquy
VOLUME /var/lib/colloquy
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
ENTRYPOINT ["colloquy"]
CMD ["serve", "--host", "0.0.0.0"]
