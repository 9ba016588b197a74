# PostgreSQL's official image with layra_state in it, for PostgreSQL 15 to 18:
#
#   docker build --build-arg PG=17 -t layra_state .
#   docker run -d -e POSTGRES_PASSWORD=secret -p 5432:5432 layra_state
#
# `make matrix` runs these steps in a Debian system, and the tests of SQL on what comes of it.
ARG PG=17

FROM postgres:$PG AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl gcc libc6-dev libclang-dev make \
    postgresql-server-dev-$PG_MAJOR python3
ENV PATH=/root/.cargo/bin:$PATH
RUN curl -sSf https://static.rust-lang.org/rustup/rustup-init.sh | sh -s -- -y -q --profile minimal \
    --component rustfmt --default-toolchain 1.95
WORKDIR /layra_state
COPY . .
RUN make deb PG_CONFIG=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config

FROM postgres:$PG
COPY --from=build /layra_state/target/deb /tmp/deb
RUN apt-get update && apt-get install -y --no-install-recommends /tmp/deb/*.deb && \
    rm -rf /tmp/deb /var/lib/apt/lists/*
# The database that the image makes at its first start has the extension.
RUN mkdir -p /docker-entrypoint-initdb.d && echo 'CREATE EXTENSION layra_state;' >/docker-entrypoint-initdb.d/layra_state.sql
