"""Every figure this service shows at ``/metrics``. Labels are small closed sets."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

CONNECTIONS = Gauge("colloquy_connections", "Open sockets on this node.", registry=REGISTRY)
CONNECTIONS_CLOSED = Counter(
    "colloquy_connections_closed_total",
    "Ended sockets, by close code.",
    ["code"],
    registry=REGISTRY,
)
FRAMES = Counter(
    "colloquy_frames_total", "Frames from clients, by type.", ["type"], registry=REGISTRY
)
FRAME_ERRORS = Counter(
    "colloquy_frame_errors_total",
    "Frames answered with an error, by code.",
    ["code"],
    registry=REGISTRY,
)
RESUMES = Counter(
    "colloquy_resumes_total",
    "How joining sockets continued: resumed, or why not.",
    ["result"],
    registry=REGISTRY,
)
ACK_SECONDS = Histogram(
    "colloquy_ack_seconds",
    "From a query frame to its acknowledgement.",
    buckets=_FAST,
    registry=REGISTRY,
)
HTTP_SECONDS = Histogram(
    "colloquy_http_seconds",
    "HTTP requests, by route and status.",
    ["route", "status"],
    buckets=_FAST,
    registry=REGISTRY,
)
LIMITED = Counter(
    "colloquy_limited_total",
    "What this node refused because it was too much, by what.",
    ["what"],
    registry=REGISTRY,
)
RUNS_RUNNING = Gauge("colloquy_runs_running", "Runs executed on this node.", registry=REGISTRY)
RUNS_WAITING = Gauge(
    "colloquy_runs_waiting",
    "Runs of the whole service that wait for a free place on any node.",
    registry=REGISTRY,
)
RUNS_ENDED = Counter(
    "colloquy_runs_ended_total",
    "Runs ended on this node, by outcome.",
    ["outcome"],
    registry=REGISTRY,
)
RUN_SECONDS = Histogram(
    "colloquy_run_seconds", "From a run's claim to its end.", buckets=_SLOW, registry=REGISTRY
)
RETENTION_DELETED = Counter(
    "colloquy_retention_deleted_total",
    "What this node deleted because it had been kept long enough, by what.",
    ["what"],
    registry=REGISTRY,
)
WRITE_BEHIND_FAILURES = Gauge(
    "colloquy_write_behind_failures",
    "Failed writes of what nobody waits for, by what.",
    ["what"],
    registry=REGISTRY,
)
WRITE_BEHIND_DROPPED = Gauge(
    "colloquy_write_behind_dropped",
    "Items given up after such failures, by what.",
    ["what"],
    registry=REGISTRY,
)
