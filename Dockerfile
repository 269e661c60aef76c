# syntax=docker/dockerfile:1
# One static binary in an empty image.
FROM rust:1.95-bookworm AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends musl-tools && rm -rf /var/lib/apt/lists/*
RUN rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    target="$(uname -m)-unknown-linux-musl" \
    && env "CC_$(echo "$target" | tr - _)=musl-gcc" cargo build --locked --release --bin streamward --target "$target" \
    && install -D "target/$target/release/streamward" /image/usr/local/bin/streamward \
    && install -D /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && install -d -o 65532 -g 65532 /image/data /image/mediamtx-home

# Only the program: docker build --target binary --output type=local,dest=. .
FROM scratch AS binary
COPY --from=build /image/usr/local/bin/streamward /streamward

FROM scratch
COPY --from=build /image/ /
# Only published ports of a container are reachable.
ENV STREAMWARD_HTTP__LISTEN=0.0.0.0:8080 \
    STREAMWARD_DATA_DIR=/data
USER 65532:65532
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 CMD ["/usr/local/bin/streamward", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/streamward"]
CMD ["serve"]
