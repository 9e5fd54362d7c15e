# syntax=docker/dockerfile:1
# One image for every role.
#
#   docker build -t assay:0.1.0 .                                with the embedded engine
#   docker build -t assay:0.1.0 --build-arg ENGINE=none .        550 MB smaller, for Kafka and a ClickHouse server
FROM node:22.21.1-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY bin bin
RUN npm ci --ignore-scripts
COPY . .
RUN npm run -s build && npm prune --omit=dev --ignore-scripts
ARG ENGINE=embedded
RUN if [ "$ENGINE" = none ]; then rm -rf node_modules/@chdb; fi

FROM node:22.21.1-bookworm-slim
LABEL org.opencontainers.image.title="Assay" org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production \
    ASSAY_DATA=/data \
    ASSAY_OBSERVE_HOST=0.0.0.0 \
    ASSAY_OBSERVE_PORT=9464 \
    ASSAY_OBSERVE_LOG_LEVEL=info
# Charts as pictures need a font; add fonts-noto-cjk for Chinese ones (90 MB).
RUN apt-get update && apt-get install -y --no-install-recommends fonts-dejavu-core && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/bin bin
COPY --from=build /build/dist dist
COPY --from=build /build/src/dashboard/static src/dashboard/static
COPY --from=build /build/sql sql
COPY --from=build /build/schemas schemas
COPY --from=build /build/experiments experiments
RUN mkdir /data && chown node:node /data && ln -s /app/bin/assay.cjs /usr/local/bin/assay
USER node
VOLUME /data
EXPOSE 7333 9464
# Not ready is not dead: an orchestrator asks /readyz itself.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9464/healthz').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/bin/assay.cjs"]
CMD ["up"]
