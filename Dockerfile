# The relay's image; `docker build --target simulator` makes the simulated GitHub of the demo instead.
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# The optional ones are left out too: TypeScript, which a package checks its types with, and a faster msgpack.
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build

FROM node:24-slim AS simulator
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY test/github-simulator ./test/github-simulator
# The volume that is laid over it takes its owner over.
RUN mkdir /data && chown node:node /data
USER node
EXPOSE 4010
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:4010/_simulator/runs').then(({ ok }) => process.exit(ok ? 0 : 1))"]
ENTRYPOINT ["node", "/app/test/github-simulator/main.ts", "--host", "0.0.0.0", "--port", "4010"]

# Last, so that it is what `docker build .` makes.
FROM node:24-slim AS relay
ARG VERSION=0.1.0
ARG SOURCE=""
ARG REVISION=""
LABEL org.opencontainers.image.title="promotion-relay" \
      org.opencontainers.image.description="Carries a model promotion from continuous training to a GitHub Actions deployment: never lost, never twice, never stale." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.revision="$REVISION"
ENV NODE_ENV=production HOST=0.0.0.0
WORKDIR /app
# All of it belongs to root: the user that runs it can't change it, and the root file system may be read-only.
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json deploy/health-check.mjs ./
COPY bin ./bin
COPY --from=build /app/dist ./dist
RUN ln -s /app/bin/promotion-relay.cjs /usr/local/bin/promotion-relay
USER node
EXPOSE 8080 8081
# It finishes what is under way, which takes at most 40 s; then it is safe to kill too.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["node", "/app/health-check.mjs"]
ENTRYPOINT ["node", "/app/bin/promotion-relay.cjs"]
CMD ["serve"]
