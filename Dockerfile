# One image for everything that runs our code: migrations, scheduler, DAG processor, API server, task pods.
# A digest is asked for beside the version: --build-arg AIRFLOW_DIGEST=sha256:... (docs/deploy.md, "What it is made of").
ARG AIRFLOW_VERSION=3.3.2
ARG AIRFLOW_DIGEST=
FROM apache/airflow:${AIRFLOW_VERSION}${AIRFLOW_DIGEST:+@${AIRFLOW_DIGEST}}
ARG AIRFLOW_VERSION

# The very files that the tests ran with, by their hashes. A requirements.txt of another Airflow fails here instead of replacing the
# one that the base image was built for. The base holds no bytecode; uv makes that of all packages, or each task's pod would
# compile Airflow anew.
COPY requirements.txt /tmp/requirements.txt
RUN grep --quiet "^apache-airflow==${AIRFLOW_VERSION} " /tmp/requirements.txt \
    && uv pip install --no-cache --compile-bytecode --require-hashes --requirements /tmp/requirements.txt

# Laid out as in the repository: plugins/ finds sql/ beside it. Owned by root: uid 50000 runs this code and can't change it.
WORKDIR /opt/airflow
COPY LICENSE THIRD_PARTY.md alembic.ini ./
COPY migrations ./migrations
COPY config ./config
COPY sql ./sql
COPY plugins ./plugins
COPY dags ./dags
COPY deploy ./deploy

# For the dumps: age encrypts them; the base has curl and the newest pg_dump, which reads every older server.
USER root
RUN apt-get update && apt-get install --yes --no-install-recommends age && rm -rf /var/lib/apt/lists/* \
    && age --version && pg_dump --version && pg_restore --version && pg_basebackup --version && psql --version && curl --version \
    && install --directory --owner=airflow --group=0 --mode=0770 /backup /exports
# The bytecode is ours, too: a task's pod has a read-only file system and could not keep it.
RUN /home/airflow/.local/bin/python -m compileall -q plugins dags migrations deploy
USER airflow

# Airflow adds plugins/ to sys.path by itself; this is for whoever starts python without Airflow.
ENV PYTHONPATH=/opt/airflow/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False
