# One static binary in an otherwise empty image.
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN make build VERSION="$VERSION" && mkdir /empty

FROM scratch
# What a static binary still needs from a system: authorities, for TLS to Redis.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/bin/jauge /jauge
# A volume mounted here starts with the owner of this folder.
COPY --from=build --chown=65532:65532 /empty /data
ENV JAUGE_DATA_DIR=/data JAUGE_LISTEN=0.0.0.0:8080
USER 65532:65532
VOLUME /data
EXPOSE 8080
# No HEALTHCHECK: the image has no shell or client to ask with. /healthz and /readyz are there for an orchestrator.
ENTRYPOINT ["/jauge"]
CMD ["serve"]
