"""Kinds of the Prometheus operator, whose CRDs no package carries: the part of their fields that is used here.

Source: the Go types of monitoring.coreos.com/v1 in github.com/prometheus-operator/prometheus-operator
(servicemonitor_types.go, podmonitor_types.go, prometheus_types.go). A field that is missing here may exist there; none
that is here is missing there.
"""

from __future__ import annotations

from typing import Any

_DURATION = {"type": "string", "pattern": r"^(\d+h)?(\d+m)?(\d+s)?$", "minLength": 2}
_LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
_SELECTOR = {
    "type": "object",
    "properties": {
        "matchLabels": _LABELS,
        "matchExpressions": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "key": {"type": "string"},
                    "operator": {"enum": ["In", "NotIn", "Exists", "DoesNotExist"]},
                    "values": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["key", "operator"],
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
_ENDPOINTS = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "properties": {
            "port": {"type": "string"},
            "path": {"type": "string"},
            "scheme": {"enum": ["http", "https"]},
            "interval": _DURATION,
            "scrapeTimeout": _DURATION,
            "honorLabels": {"type": "boolean"},
        },
        "required": ["port"],
        "additionalProperties": False,
    },
}


def _kind(endpoints: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": {
                "type": "object",
                "properties": {
                    "jobLabel": {"type": "string"},
                    "podTargetLabels": {"type": "array", "items": {"type": "string"}},
                    "selector": _SELECTOR,
                    "sampleLimit": {"type": "integer", "minimum": 0},
                    endpoints: _ENDPOINTS,
                    **more,
                },
                "required": [endpoints, "selector"],
                "additionalProperties": False,
            },
        },
        "required": ["metadata", "spec"],
        "additionalProperties": False,
    }


MONITORING = {
    "ServiceMonitor": _kind("endpoints", targetLabels={"type": "array", "items": {"type": "string"}}),
    "PodMonitor": _kind("podMetricsEndpoints"),
}
