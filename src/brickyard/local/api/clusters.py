"""One synthetic cluster, the local engine, so that clients that choose a cluster find one."""

from __future__ import annotations

import os
from dataclasses import dataclass

from brickyard.local.api.errors import ApiError, unbuilt
from brickyard.local.api.routes import Answer, Call, JsonObject, Router, field_text

CLUSTER_ID = "0101-000000-local000"
SPARK_VERSION = "17.3.x-scala2.13"
NODE_TYPE = "local"


@dataclass(frozen=True, slots=True)
class Clusters:
    """The cluster of a workspace."""

    owner: str

    def info(self) -> JsonObject:
        """The cluster as the Clusters API describes it."""
        return {
            "cluster_id": CLUSTER_ID,
            "cluster_name": "Local engine",
            "spark_version": SPARK_VERSION,
            "node_type_id": NODE_TYPE,
            "driver_node_type_id": NODE_TYPE,
            "num_workers": 0,
            "cluster_cores": float(os.cpu_count() or 1),
            "autotermination_minutes": 0,
            "state": "RUNNING",
            "state_message": "",
            "cluster_source": "API",
            "creator_user_name": self.owner,
            "data_security_mode": "SINGLE_USER",
            "spark_conf": {},
            "default_tags": {"Vendor": "Brickyard"},
        }


router: Router[Clusters] = Router()


@router.on("GET", "/api/2.1/clusters/list", "/api/2.0/clusters/list", operation="clusters.list")
def list_(clusters: Clusters, call: Call) -> Answer:
    """List the cluster."""
    return {"clusters": [clusters.info()]}


@router.on("GET", "/api/2.1/clusters/get", "/api/2.0/clusters/get", operation="clusters.get")
def get(clusters: Clusters, call: Call) -> Answer:
    """Describe the cluster."""
    _known(call.text("cluster_id"))
    return clusters.info()


@router.on("POST", "/api/2.1/clusters/start", "/api/2.0/clusters/start", operation="clusters.start")
def start(clusters: Clusters, call: Call) -> Answer:
    """Start the cluster, which always runs."""
    _known(field_text(call.body(), "cluster_id"))
    raise ApiError(400, "INVALID_STATE", f"Cluster {CLUSTER_ID} is in unexpected state Running.")


@router.on(
    "GET", "/api/2.1/clusters/spark-versions", "/api/2.0/clusters/spark-versions", operation="clusters.spark_versions"
)
def spark_versions(clusters: Clusters, call: Call) -> Answer:
    """List runtimes that clients may choose; each is the local engine."""
    named = {SPARK_VERSION: "17.3 LTS (local engine)", "16.4.x-scala2.12": "16.4 LTS (local engine)"}
    return {"versions": [{"key": key, "name": name} for key, name in named.items()]}


@router.on(
    "GET",
    "/api/2.1/clusters/list-node-types",
    "/api/2.0/clusters/list-node-types",
    operation="clusters.list_node_types",
)
def node_types(clusters: Clusters, call: Call) -> Answer:
    """List the one node type: this machine."""
    return {"node_types": [node_type()]}


@router.on("GET", "/api/2.1/clusters/list-zones", "/api/2.0/clusters/list-zones", operation="clusters.list_zones")
def zones(clusters: Clusters, call: Call) -> Answer:
    """List the one zone."""
    return {"zones": ["local"], "default_zone": "local"}


@router.on(
    "POST",
    *(
        f"/api/{v}/clusters/{verb}"
        for v in ("2.1", "2.0")
        for verb in ("create", "edit", "delete", "restart", "resize")
    ),
    operation="clusters.change",
)
def change(clusters: Clusters, call: Call) -> Answer:
    """Refuse to make or change clusters."""
    raise unbuilt("clusters other than the local engine; leave the cluster out, or use the id of the one listed")


def _known(cluster_id: str) -> None:
    if cluster_id != CLUSTER_ID:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Cluster {cluster_id} does not exist")


def node_type() -> JsonObject:
    """The one node type, this machine, as the Clusters API describes it."""
    cores = float(os.cpu_count() or 1)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return {
        "node_type_id": NODE_TYPE,
        "memory_mb": memory,
        "num_cores": cores,
        "num_gpus": 0,
        "description": "this machine",
        "instance_type_id": NODE_TYPE,
        "category": "General Purpose",
        "is_deprecated": False,
        "is_hidden": False,
        "is_graviton": False,
        "is_io_cache_enabled": False,
        "photon_driver_capable": False,
        "photon_worker_capable": False,
        "support_cluster_tags": True,
        "support_ebs_volumes": False,
        "support_port_forwarding": False,
        "display_order": 0,
        "node_info": {"status": []},
        "node_instance_type": {
            "instance_type_id": NODE_TYPE,
            "local_disks": 1,
            "local_disk_size_gb": 100,
            "local_nvme_disks": 0,
            "local_nvme_disk_size_gb": 0,
        },
    }
