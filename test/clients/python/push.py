"""Pushes, adds to and deletes groups through prometheus_client. Usage: push.py URL"""
import sys

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import delete_from_gateway, push_to_gateway, pushadd_to_gateway

url = sys.argv[1]


def key(number):
    return {"instance": "host-%d" % number, "zone": "z%d" % (number % 3)}


for number in range(12):
    registry = CollectorRegistry()
    Gauge("batch_records", "Records of the last run.", ["kind"], registry=registry).labels("read").set(number)
    Histogram("batch_seconds", "Time taken.", registry=registry).observe(number / 10)
    push_to_gateway(url, job="python", registry=registry, grouping_key=key(number))

for number in range(0, 12, 2):
    registry = CollectorRegistry()
    Counter("batch_errors", "Errors so far.", registry=registry).inc(number)
    pushadd_to_gateway(url, job="python", registry=registry, grouping_key=key(number))

for number in range(3):
    delete_from_gateway(url, job="python", grouping_key=key(number))

registry = CollectorRegistry()
Gauge("batch_odd", "Grouping keys that need care on their way.", registry=registry).set(1)
push_to_gateway(url, job="python/odd", registry=registry, grouping_key={"path": "/var/lib", "empty": ""})
push_to_gateway(url, job="python odd", registry=registry, grouping_key={"name": "naïve café"})
