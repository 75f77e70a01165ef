"""Try the whole deployment on the cluster that the kubeconfig points at: install, history, calm minutes, faults; then judge.

    make e2e-k8s                                              # the chart from its official repository
    AIRFLOW_CHART=airflow-1.22.0.tgz make e2e-k8s ARGS="--minutes 10"

Needs kubectl, helm and an image `guest-tags-dwh:local` that the nodes have. It works in a namespace of its own and leaves it for
a look afterwards; a second run goes on in it. Ends with 1 where something was lost, counted twice, too slow or too big.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from deploy import REPO
from deploy.make_secrets import (
    CA_SECRET,
    DEFAULT_FILE,
    EXAMPLE,
    TLS_SECRET,
    certificate,
    filled,
    kubernetes_secrets,
    manifest,
    read_env,
)
from deploy.sizes import CHART, VALUES

AIRFLOW_CHART = "airflow --repo https://airflow.apache.org --version 1.22.0"
WORKLOADS = ("deployment/airflow-scheduler", "deployment/airflow-api-server", "deployment/airflow-dag-processor")
STATEFUL = ("statefulset/postgres", "statefulset/kafka", "statefulset/valkey")
COMPONENTS = ("postgres", "kafka", "valkey", "airflow-scheduler", "airflow-api-server", "airflow-dag-processor")
TASK_PODS = "kubernetes_executor=True"
SAMPLE_EVERY_S = 5
# A drain of 50,000 orders in small chunks is in the middle of its work by then.
KILL_AFTER_S = 5
MAX_P99_S = 120
MAX_MEMORY_GIB = 6.5
MIB = 2**20


class TrialError(Exception):
    """A command failed; the text holds what it said."""


@dataclass
class Usage:
    """What the kubelets told during a phase: bytes by component, CPU seconds since the pods began."""

    peak_bytes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    first_cpu_s: dict[str, float] = field(default_factory=dict)
    last_cpu_s: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0

    def add(self, memory: dict[str, int], cpu_s: dict[str, float]) -> None:
        """Take in one sample."""
        for name, size in (memory | {"everything": sum(memory.values())}).items():
            self.peak_bytes[name] = max(self.peak_bytes[name], size)
        for name, seconds in cpu_s.items():
            self.first_cpu_s.setdefault(name, seconds)
            self.last_cpu_s[name] = seconds
        self.ended = time.monotonic()

    def cpu_s(self, name: str) -> float:
        """Return the CPU seconds that a component used between the first and the last sample."""
        return self.last_cpu_s.get(name, 0.0) - self.first_cpu_s.get(name, 0.0)


class Cluster:
    """kubectl and helm, in one namespace."""

    def __init__(self, namespace: str, place: str) -> None:
        """Work in `namespace` with the values of `helm-values/<place>/`."""
        self.namespace = namespace
        self.values = VALUES / place
        self.chart = os.environ.get("AIRFLOW_CHART", AIRFLOW_CHART).split()

    def kubectl(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run kubectl; return its output."""
        return command(["kubectl", "--namespace", self.namespace, *arguments], stdin=stdin)

    def pods(self, selector: str = "") -> list[dict[str, Any]]:
        """Return the pods of the namespace."""
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", "pods", "--selector", selector, "--output=json"))[
            "items"
        ]
        return items

    def install(self) -> None:
        """Make the namespace and the secrets unless they are there, and `helm upgrade --install` both charts."""
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        namespace["metadata"]["labels"] = {"pod-security.kubernetes.io/enforce": "restricted"}  # type: ignore[index]
        self.kubectl("apply", "--filename=-", stdin=json.dumps(namespace).encode())
        if not self.kubectl("get", "secret", "dwh-server", "--ignore-not-found", "--output=name"):
            known = read_env(DEFAULT_FILE.read_text()) if DEFAULT_FILE.exists() else {}
            env = read_env(filled(EXAMPLE.read_text(), known))
            with tempfile.TemporaryDirectory() as folder:
                server = certificate(Path(folder), "postgres")
            made = kubernetes_secrets(env, tls=["postgres"], ca=server.pop("ca.crt"), server=server)
            self.kubectl("apply", "--filename=-", stdin=manifest(made).encode())
        self.upgrade()
        self.wait_until_ready()

    def upgrade(self, *airflow_options: str) -> None:
        """Upgrade both releases: the warehouse before those who use it."""
        helm = ["helm", "--namespace", self.namespace, "upgrade", "--install", "--timeout=10m"]
        chart = str(CHART)
        by_tls = (f"--set=secrets.postgresTls={TLS_SECRET}", f"--set=tls.caSecret={CA_SECRET}")
        command([*helm, "guest-tags", chart, f"--values={self.values / 'guest-tags.yaml'}", *by_tls])
        files = (self.values.parent / "base.yaml", self.values / "airflow.yaml", self.values.parent / "tls.yaml")
        command([*helm, "airflow", *self.chart, *(f"--values={file}" for file in files), *airflow_options])

    def wait_until_ready(self, *workloads: str) -> None:
        """Return when every workload is rolled out."""
        for workload in workloads or (*STATEFUL, *WORKLOADS):
            self.kubectl("rollout", "status", workload, "--timeout=600s")

    def usage(self) -> tuple[dict[str, int], dict[str, float]]:
        """Ask every kubelet: memory by component, CPU seconds by component, and of all pods that ever ran ("pods")."""
        memory: dict[str, int] = defaultdict(int)
        cpu_s: dict[str, float] = defaultdict(float)
        for node in json.loads(self.kubectl("get", "nodes", "--output=json"))["items"]:
            name = node["metadata"]["name"]
            summary = json.loads(self.kubectl("get", "--raw", f"/api/v1/nodes/{name}/proxy/stats/summary"))
            for pod in summary["pods"]:
                seconds = pod.get("cpu", {}).get("usageCoreNanoSeconds", 0) / 1e9
                component = component_of(pod["podRef"], self.namespace)
                if component != "task pods":  # they come and go; theirs is what "pods" has beyond all others
                    cpu_s[component] += seconds
                if component not in ("others", "toolbox"):
                    memory[component] += pod.get("memory", {}).get("workingSetBytes", 0)
            for container in summary["node"].get("systemContainers", []):
                if container["name"] == "pods":
                    cpu_s["pods"] += container["cpu"]["usageCoreNanoSeconds"] / 1e9
        return memory, cpu_s


class Sampler(threading.Thread):
    """Asks for the usage of the pods in the background."""

    def __init__(self, cluster: Cluster) -> None:
        """Sample this cluster until `stop`."""
        super().__init__(daemon=True)
        self.cluster = cluster
        self.usage = Usage()
        self._stopped = threading.Event()

    def run(self) -> None:
        """Take samples; one that fails (an API server under load) is missed."""
        while not self._stopped.wait(SAMPLE_EVERY_S):
            try:
                self.usage.add(*self.cluster.usage())
            except (TrialError, KeyError, ValueError) as error:
                note(f"a sample is missing: {error}")

    def stop(self) -> Usage:
        """End, and return what was seen."""
        self._stopped.set()
        self.join()
        return self.usage


class Toolbox:
    """A pod of our image that may reach what a task may reach, and the warehouse as its owner."""

    def __init__(self, cluster: Cluster) -> None:
        """Make the pod anew, and copy into it the programs that are no part of the image."""
        self.cluster = cluster
        cluster.kubectl("delete", "pod", "toolbox", "--ignore-not-found", "--wait")
        pod = (REPO / "deploy" / "toolbox.yaml").read_text()
        cluster.kubectl("apply", "--filename=-", stdin=pod.encode())
        cluster.kubectl("wait", "pod/toolbox", "--for=condition=Ready", "--timeout=120s")
        tar = subprocess.run(
            ["tar", "--create", "--directory", REPO, "--exclude=__pycache__", "source", "witness", "local", "deploy"],
            check=True,
            capture_output=True,
        )
        cluster.kubectl("exec", "--stdin", "toolbox", "--", "tar", "--extract", "--directory=/tmp", stdin=tar.stdout)

    def start(self, *arguments: str) -> Callable[[], str]:
        """Start `python -m ...` in the pod; the result waits for its end and returns its last line."""
        line = ["kubectl", "--namespace", self.cluster.namespace, "exec", "toolbox", "--", "python", "-m", *arguments]
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def result() -> str:
            out, errors = process.communicate()
            if process.returncode:
                raise TrialError(f"{' '.join(arguments)} failed:\n{out}{errors}")
            return out.strip()

        return result

    def probe(self, *arguments: str) -> Any:
        """Run one command of `deploy.probe` and return its result."""
        return json.loads(self.start("deploy.probe", *arguments)().splitlines()[-1])


def command(line: Sequence[str], stdin: bytes | None = None) -> str:
    """Run a program; return its output, or raise `TrialError` with what it said."""
    done = subprocess.run(line, input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise TrialError(f"{' '.join(line)}\n{done.stderr.decode()}")
    return done.stdout.decode()


def component_of(pod: dict[str, str], namespace: str) -> str:
    """Say what a pod belongs to, by its name."""
    if pod["namespace"] != namespace:
        return "others"
    for component in (*COMPONENTS, "toolbox"):
        if re.fullmatch(rf"{component}-?[a-z0-9-]*", pod["name"]):
            return component
    return "others" if re.match(r"(migrate|backup)-", pod["name"]) else "task pods"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of the (sorted) values don't exceed."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def note(text: str) -> None:
    """Tell the progress."""
    print(f"{datetime.now(UTC):%H:%M:%S}  {text}", flush=True)


def task_pod(cluster: Cluster, **labels: str) -> str:
    """Wait for a pod of a task with these labels (`dag_id`, `task_id`) whose program runs; return its name.

    The pods before it may have been deleted before they started: then it comes only after `task_queued_timeout`.
    """
    selector = ",".join([TASK_PODS, *(f"{name}={value}" for name, value in labels.items())])
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        for pod in cluster.pods(selector):
            if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]:
                return str(pod["metadata"]["name"])
        time.sleep(0.3)
    raise TrialError(f"no task ({selector}) ran within five minutes")


def wrongly_judged(cluster: Cluster) -> list[str]:
    """Ask Kubernetes, which changes nothing then, what the scheduler may do with pods; return what it judges otherwise."""
    config = json.loads(cluster.kubectl("get", "configmap", "airflow-config", "--output=json"))
    task, greedy = (yaml.safe_load(config["data"]["pod_template_file.yaml"]) for _ in range(2))
    greedy["spec"]["containers"][0]["envFrom"].append({"secretRef": {"name": "dwh-server"}})
    disguise = ("label", "pod/postgres-0", "tier=airflow", "component=worker")
    scheduler = f"--as=system:serviceaccount:{cluster.namespace}:airflow-scheduler"

    def is_let(*arguments: str, pod: Any = None) -> bool:
        try:
            cluster.kubectl(*arguments, "--dry-run=server", scheduler, stdin=json.dumps(pod).encode())
        except TrialError as error:
            if "ValidatingAdmissionPolicy" not in str(error):
                raise
            return False
        return True

    wrong = {
        "it can't make the pod of a task": not is_let("create", "--filename=-", pod=task),
        "it makes a pod with the server's password": is_let("create", "--filename=-", pod=greedy),
        "it deletes the server's pod": is_let("delete", "pod/postgres-0"),
        "it calls the server's pod a task's": is_let(*disguise),
    }
    return [f"the scheduler: {what}" for what, is_so in wrong.items() if is_so]


def faults(cluster: Cluster, toolbox: Toolbox) -> tuple[dict[str, float], dict[str, Any]]:
    """Break one thing after the other, each while a run is on.

    Returns the seconds until each was whole again, and what became of a backfill whose drain was killed in the middle.
    """
    took = {}

    def fault(name: str, *arguments: str, waits_for: Sequence[str] = ()) -> None:
        task_pod(cluster, dag_id="orders_micro_batch")
        note(f"fault: {name}")
        begin = time.monotonic()
        if arguments:
            cluster.kubectl(*arguments)
        else:
            cluster.upgrade("--set-string", f"airflowPodAnnotations.upgraded={int(time.time())}")
        cluster.wait_until_ready(*waits_for)
        took[name] = time.monotonic() - begin
        time.sleep(20)

    backfill = toolbox.start("deploy.probe", "backfill", "--chunk-messages", "300")
    victim = task_pod(cluster, dag_id="orders_backfill", task_id="drain")
    time.sleep(KILL_AFTER_S)
    note(f"fault: {victim} is killed")
    cluster.kubectl("delete", "pod", victim, "--grace-period=0", "--force")
    replayed = json.loads(backfill().splitlines()[-1])
    note(f"the backfill ends all the same: {replayed}")
    fault("a task's pod is killed", "delete", "pod", "--selector", TASK_PODS, "--grace-period=0", "--force")
    fault("the scheduler's pod is deleted", "delete", "pod", "--selector=component=scheduler", waits_for=WORKLOADS[:1])
    fault("PostgreSQL's pod is deleted", "delete", "pod", "postgres-0")
    fault("Kafka's pod is deleted", "delete", "pod", "kafka-0")
    fault("helm upgrade of both releases")
    return took, replayed


def report(
    history: dict[str, Any], calm: dict[str, Any], runs: list[dict[str, Any]], usage: Usage, restarts: int
) -> str:
    """Return the figures of the calm minutes as Markdown."""
    seconds = usage.ended - usage.began
    # `complete` is marked by the scheduler: it is never queued and has no pod.
    all_tasks = [task for run in runs for task in run["tasks"] if task["queued"] is not None]
    pods = len(all_tasks)
    lines = [
        f"- history: {history['messages']} messages by `orders_backfill` in {history['seconds']} s",
        (
            f"- {len(runs)} runs of `orders_micro_batch`, {pods / max(len(runs), 1):.1f} pods a run, "
            f"{median(run['seconds'] for run in runs):.1f} s a run (median)"
        ),
        (
            f"- order to tag: {calm['orders']} orders, p50 {percentile(calm['latencies'], 0.5)} s, "
            f"p99 {percentile(calm['latencies'], 0.99)} s, worst {calm['latencies'][-1]} s"
        ),
        f"- memory of everything at its peak: {usage.peak_bytes['everything'] / MIB:.0f} MiB; restarts: {restarts}",
        "",
        "| task | queued to running, s (median / worst) | running to done, s (median / worst) |",
        "|---|---|---|",
    ]
    for name in dict.fromkeys(task["task"] for task in all_tasks):
        queued = sorted(task["queued"] for task in all_tasks if task["task"] == name)
        running = sorted(task["running"] for task in all_tasks if task["task"] == name)
        lines.append(
            f"| {name} | {median(queued):.1f} / {queued[-1]:.1f} | {median(running):.1f} / {running[-1]:.1f} |"
        )
    known = sum(usage.cpu_s(name) for name in (*COMPONENTS, "toolbox", "others"))
    task_cpu_s = usage.cpu_s("pods") - known
    lines += ["", "| component | CPU, cores | memory at its peak, MiB |", "|---|---|---|"]
    lines += [
        f"| {name} | {usage.cpu_s(name) / seconds:.3f} | {usage.peak_bytes[name] / MIB:.0f} |" for name in COMPONENTS
    ]
    # A pod of a few seconds is often gone before the kubelet looks.
    seen = usage.peak_bytes["task pods"]
    lines.append(f"| task pods | {task_cpu_s / seconds:.3f} | {f'{seen / MIB:.0f}' if seen else 'not seen'} |")
    lines.append(f"\nA task pod costs {task_cpu_s / max(pods, 1):.1f} CPU seconds.")
    return "\n".join(lines)


def verdict(
    calm: dict[str, Any], broken: dict[str, Any], replayed: dict[str, Any], usage: Usage, recounts: Sequence[str]
) -> list[str]:
    """Return what is not as promised."""
    p99 = percentile(calm["latencies"], 0.99)
    peak_gib = usage.peak_bytes["everything"] / 2**30
    checks = {
        f"p99 of order to tag is {p99} s": p99 < MAX_P99_S,
        f"memory reaches {peak_gib:.2f} GiB": 0 < peak_gib < MAX_MEMORY_GIB,
        f"{calm['lost']} orders lost in calm": calm["lost"] == 0,
        f"{calm['double']} tag events too many in calm": calm["double"] == 0,
        f"{broken['lost']} orders lost under faults": broken["lost"] == 0,
        f"{broken['double']} tag events too many under faults": broken["double"] == 0,
        f"{broken['not_taken_by_kafka']} messages not taken by Kafka": broken["not_taken_by_kafka"] == 0,
        "the backfill that was killed did not end well": replayed["state"] == "success",
        "the kill met no task": any(task["attempt"] > 1 for task in replayed["tasks"]),
        "the recount differs": all(" differ" in text and not re.search(r"[1-9]\d* differ", text) for text in recounts),
    }
    return [text for text, fine in checks.items() if not fine]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trial; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.e2e", description=main.__doc__)
    parser.add_argument("--namespace", default="dwh-e2e")
    parser.add_argument("--place", default="local", help="folder of helm-values/ (default %(default)s)")
    parser.add_argument("--orders", type=int, default=50_000, help="of the history (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=10, help="of calm (default %(default)s)")
    options = parser.parse_args(arguments)
    cluster = Cluster(options.namespace, options.place)
    try:
        begin = time.monotonic()
        cluster.install()
        note(f"installed and ready after {time.monotonic() - begin:.0f} s")
        judged = wrongly_judged(cluster)
        toolbox = Toolbox(cluster)
        judged += toolbox.probe("doors")
        history = toolbox.probe("history", f"--orders={options.orders}")
        note(f"history: {history}")
        recounts = [toolbox.start("witness.recount", "--wait=180")()]
        note(f"recount:\n{recounts[-1]}")
        since = datetime.now(UTC)
        sampler = Sampler(cluster)
        sampler.start()
        calm = toolbox.probe("watch", f"--minutes={options.minutes}")
        usage = sampler.stop()
        runs = toolbox.probe("tasks", f"--since={since.isoformat()}")["runs"]
        restarts = sum(
            status["restartCount"] for pod in cluster.pods() for status in pod["status"].get("containerStatuses", [])
        )
        figures = report(history, calm, runs, usage, restarts)
        note(f"calm minutes:\n{figures}")
        since = datetime.now(UTC) - timedelta(minutes=1)
        watching = toolbox.start("deploy.probe", "watch", "--minutes=8", "--rate=10")
        healed, replayed = faults(cluster, toolbox)
        broken = json.loads(watching().splitlines()[-1])
        worst = broken["latencies"][-1] if broken["latencies"] else None
        note(
            f"under faults: {broken['orders']} orders, {broken['lost']} lost, {broken['double']} double, worst {worst} s"
        )
        note("ready again: " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in healed.items()))
        runs = toolbox.probe("tasks", f"--since={since.isoformat()}")["runs"]
        again = sum(task["attempt"] > 1 for run in runs for task in run["tasks"])
        failed = sum(run["state"] == "failed" for run in runs)
        note(f"runs meanwhile: {len(runs)}, of which {failed} failed; {again} tasks were tried again")
        recounts.append(toolbox.start("witness.recount", "--wait=240")())
        note(f"recount:\n{recounts[-1]}")
    except TrialError as error:
        print(error, file=sys.stderr)
        return 1
    failures = [*judged, *verdict(calm, broken, replayed, usage, recounts)]
    for text in failures:
        print(f"NOT AS PROMISED: {text}")
    note("all as promised" if not failures else "not as promised")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
