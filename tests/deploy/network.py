"""Network policies as a cluster carries them out: may this pod connect to that one?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.deploy.charts import pod_spec

Objects = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Pod:
    """A pod by its name for people and its labels; elsewhere, and outside of the cluster, nothing of ours judges it."""

    name: str
    labels: frozenset[tuple[str, str]] = frozenset()
    namespace: str | None = "dwh"


OUTSIDE = Pod("outside", namespace=None)


def pods(objects: Objects) -> list[Pod]:
    """Return a pod for each workload."""
    found = []
    for item in objects:
        if pod_spec(item) is not None:
            holder = item["spec"]["jobTemplate"] if item["kind"] == "CronJob" else item
            labels = item["metadata"] if item["kind"] == "Pod" else holder["spec"]["template"]["metadata"]
            found.append(Pod(item["metadata"]["name"].removeprefix("release-"), frozenset(labels["labels"].items())))
    return found


def may_connect(policies: Objects, source: Pod, target: Pod, port: int, protocol: str = "TCP") -> bool:
    """Tell whether the policies let `source` connect to a port of `target`."""
    out = _passes(policies, "Egress", source, target, port, protocol)
    return out and _passes(policies, "Ingress", target, source, port, protocol)


def _passes(policies: Objects, way: str, own: Pod, other: Pod, port: int, protocol: str) -> bool:
    rules = list(_rules(policies, way, own)) if own.namespace == "dwh" else []
    return not rules or any(
        _is_one_of(other, rule.get("from" if way == "Ingress" else "to", ()))
        and any(said["port"] == port and said.get("protocol", "TCP") == protocol for said in rule["ports"])
        for rule in rules
    )


def _rules(policies: Objects, way: str, own: Pod) -> Iterator[Mapping[str, Any]]:
    """Yield the rules for a pod. One that lets nothing through for each policy that chooses it: whom none chooses may do all."""
    for policy in policies:
        spec = policy["spec"]
        if way in spec["policyTypes"] and _fits(spec["podSelector"], own):
            yield {"ports": []}
            yield from spec.get(way.lower(), [])


def _fits(selector: Mapping[str, Any], pod: Pod) -> bool:
    assert selector.keys() <= {"matchLabels"}, "what is judged here"
    return frozenset(selector.get("matchLabels", {}).items()) <= pod.labels


def _is_one_of(pod: Pod, peers: Sequence[Mapping[str, Any]]) -> bool:
    for peer in peers:
        if "ipBlock" in peer:
            assert peer["ipBlock"] == {"cidr": "0.0.0.0/0"}, "what is judged here"
            here = pod is OUTSIDE
        else:
            assert peer.get("namespaceSelector", {}) == {}, "what is judged here"
            here = pod.namespace == "dwh" or (pod.namespace is not None and "namespaceSelector" in peer)
            here = here and _fits(peer.get("podSelector", {}), pod)
        if here:
            return True
    return False
