# refloop from this checkout: `docker build -t refloop .`; how to run it: docs/operations.md, Container.
FROM python:3.12.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY refloop ./refloop
RUN python -m venv /opt/refloop && /opt/refloop/bin/pip install --no-cache-dir .

FROM python:3.12.11-slim-bookworm
COPY --from=build /opt/refloop /opt/refloop
RUN useradd --uid 10001 --user-group --no-create-home refloop \
 && install -d -o refloop -g refloop -m 0700 /var/lib/refloop \
 && install -d -m 0755 /etc/refloop
USER 10001:10001
WORKDIR /var/lib/refloop
VOLUME ["/etc/refloop", "/var/lib/refloop"]
ENV PATH=/opt/refloop/bin:$PATH REFLOOP_CONFIG=/etc/refloop/config.yaml
HEALTHCHECK --interval=5m --timeout=30s --start-period=15m CMD ["refloop", "status", "--max-age", "30"]
ENTRYPOINT ["refloop"]
CMD ["sync"]
