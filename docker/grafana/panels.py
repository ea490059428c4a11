"""What the dashboard shows, row by row. Widths and heights are in Grafana's grid, which is 24 wide."""

from typing import Final

from parts import Panel, Query, dashed, increase, of_job, quantile, rate, series, share, total

ANSWERS: Final = "qrestore_request_duration_seconds_count"
WORK: Final = 'endpoint=~"/decode|/restore"'

OVERVIEW: Final = (
    Panel(
        "Ready replicas",
        "Replicas whose /readyz answers 200. None: the alert QrestoreNoReadyReplica.",
        (Query(f"sum({series('qrestore_ready')}) or vector(0)"),),
        "short", 3, 4, "stat", steps=(("red", None), ("green", 1)),
    ),
    Panel(
        "Requests",
        "Answers a second at /decode and /restore, whatever came of them.",
        (Query(total(rate(ANSWERS, WORK))),),
        "reqps", 3, 4, "stat", steps=(("blue", None),),
    ),
    Panel(
        "Pictures read",
        "Share of the pictures worked on in the shown period in which a code was read.",
        (
            Query(
                "1 - "
                + share(
                    total(increase("qrestore_decode_total", 'result="not_read"', window="$__range")),
                    total(increase(ANSWERS, WORK, 'status="200"', window="$__range")),
                )
            ),
        ),
        "percentunit", 3, 4, "stat", steps=(("red", None), ("yellow", 0.5), ("green", 0.7)),
    ),
    Panel(
        "Latency, p95",
        "Over the shown period, from arrival to the last byte, without errors of the client (4xx).",
        (
            Query(
                quantile(0.95, "qrestore_request_duration_seconds", matchers=(WORK, 'status!~"4.."'), window="$__range")
            ),
        ),
        "s", 3, 4, "stat", steps=(("green", None), ("yellow", 2.5), ("red", 5)),
    ),
    Panel(
        "Failed",
        "Share of answers at /decode and /restore that were 5xx, over five minutes and all replicas.",
        (Query(f"max({of_job('job:qrestore_error_share:ratio_rate5m')})"),),
        "percentunit", 3, 4, "stat", steps=(("green", None), ("yellow", 0.005), ("red", 0.02)),
    ),
    Panel(
        "Refused",
        "Share of requests that got 429 because the service was full, over five minutes and all replicas.",
        (Query(f"max({of_job('job:qrestore_refused_share:ratio_rate5m')})"),),
        "percentunit", 3, 4, "stat", steps=(("green", None), ("yellow", 0.01), ("red", 0.05)),
    ),
    Panel(
        "Memory used",
        "The server and its children as a share of the container's limit; the fullest replica.",
        (Query(f"max({series('instance:qrestore_memory_fill:ratio')})"),),
        "percentunit", 3, 4, "stat", steps=(("green", None), ("yellow", 0.75), ("red", 0.9)),
    ),
    Panel(
        "Alerts firing",
        "What each alert means and what to do: docs/runbook.md. Which they are: Prometheus, page Alerts.",
        (Query('count(ALERTS{alertstate="firing"}) or vector(0)'),),
        "short", 3, 4, "stat", steps=(("green", None), ("red", 1)),
    ),
)  # fmt: skip

TRAFFIC: Final = (
    Panel(
        "Requests by endpoint and status",
        "Answers a second, but for health checks and scrapes. "
        "429: the service was full. Other 4xx: errors of the client. 5xx: errors of the service.",
        (
            Query(
                total(rate(ANSWERS, 'endpoint!~"/livez|/readyz|/metrics"'), "endpoint", "status"),
                "{{endpoint}} {{status}}",
            ),
        ),
        "reqps", 12, stacked=True,
    ),
    Panel(
        "Latency by endpoint",
        "From the arrival of a request to the last byte of its answer, without 4xx; dashed: the budget of p95.",
        (
            *(
                Query(
                    quantile(q, "qrestore_request_duration_seconds", "endpoint", matchers=(WORK, 'status!~"4.."')),
                    f"p{q * 100:.0f} {{{{endpoint}}}}",
                )
                for q in (0.5, 0.95, 0.99)
            ),
            Query("qrestore:latency_budget:seconds", "budget of p95"),
        ),
        "s", 12, overrides=(dashed("budget of p95"),),
    ),
    Panel(
        "In flight",
        "Requests being answered at this moment: uploading, waiting or worked on.",
        (Query(total(series("qrestore_in_flight"), "instance"), "{{instance}}"),),
        "short", 6,
    ),
    Panel(
        "Upload size",
        "Size of the images that came in.",
        tuple(Query(quantile(q, "qrestore_upload_bytes"), f"p{q * 100:.0f}") for q in (0.5, 0.95)),
        "bytes", 6,
    ),
    Panel(
        "Problems by category",
        "Answers a second that carried a problem; the categories are those of app/errors.py.",
        (Query(total(rate("qrestore_errors_total"), "category"), "{{category}}"),),
        "reqps", 6, stacked=True,
    ),
    Panel(
        "Requests by key",
        "Requests a second with a valid API key, by its name in the file of keys; nothing where requests need no key.",
        (Query(total(rate("qrestore_key_requests_total"), "key"), "{{key}}"),),
        "reqps", 6, stacked=True,
    ),
)  # fmt: skip

STAGES: Final = (
    Panel(
        "Stages a second",
        "How often each stage of the pipeline ran. Expensive rungs run only where cheaper ones read nothing.",
        (Query(total(rate("qrestore_stage_duration_seconds_count"), "stage"), "{{stage}}"),),
        "ops", 8, 9,
    ),
    Panel(
        "Stage latency, p95",
        "Time of one run of each stage.",
        (Query(quantile(0.95, "qrestore_stage_duration_seconds", "stage"), "{{stage}}"),),
        "s", 8, 9,
    ),
    Panel(
        "Work by stage",
        "Seconds of work done in a second: how many workers each stage keeps busy.",
        (Query(total(rate("qrestore_stage_duration_seconds_sum"), "stage"), "{{stage}}"),),
        "short", 8, 9, stacked=True,
    ),
)  # fmt: skip

READ: Final = rate("qrestore_decode_total", 'result="read"')
READING: Final = (
    Panel(
        "Decode rate",
        "Share of the pictures worked on in which a code was read: now, over half an hour and over a day.",
        (
            Query(
                "1 - "
                + share(
                    total(rate("qrestore_decode_total", 'result="not_read"')),
                    total(rate(ANSWERS, WORK, 'status="200"')),
                ),
                "now",
            ),
            Query(of_job("job:qrestore_decode_share:ratio_increase30m"), "half an hour"),
            Query(of_job("job:qrestore_decode_share:ratio_increase1d"), "day"),
        ),
        "percentunit", 12, top=1,
    ),
    Panel(
        "Unread share by hour",
        "Share of the last hour's pictures that gave no code, all replicas together; dashed: the alert.",
        (Query(of_job("job:qrestore_unread_share:ratio_increase1h"), "{{job}}"),),
        "percentunit", 12, top=1, steps=(("green", None), ("red", 0.5)),
    ),
    Panel(
        "Codes read by rung and engine",
        "Codes a second, by the rung of the ladder that read them and the engine that parsed them.",
        (Query(total(READ, "rung", "engine"), "{{rung}} {{engine}}"),),
        "ops", 12, stacked=True,
    ),
    Panel(
        "Share of codes by rung",
        "Which rung read the codes. A share that wanders up the ladder says that the pictures get worse.",
        (Query(f"{total(READ, 'rung')} / on () group_left () {total(READ)}", "{{rung}}"),),
        "percentunit", 12, stacked=True, top=1,
    ),
    Panel(
        "Codes seen but not read, by reason",
        "Codes a second that were seen but not read. budget: they may be read with a larger QRESTORE_BUDGET_SECONDS; "
        "the other reasons are the picture's.",
        (Query(total(rate("qrestore_unread_total"), "reason"), "{{reason}}"),),
        "ops", 12, stacked=True,
    ),
    Panel(
        "Pictures incomplete",
        "Share of the pictures worked on whose search ended with its budget. A share that grows says that the pictures "
        "get worse or the machine slower.",
        (
            Query(
                share(total(rate("qrestore_incomplete_total")), total(rate(ANSWERS, WORK, 'status="200"'))),
                "incomplete",
            ),
        ),
        "percentunit", 12, top=1,
    ),
    Panel(
        "Codes that engines state otherwise",
        "Codes a second of which an engine said something else than their codewords, which are answered; and codes "
        "whose codewords could not be had, so that the answer says `exact: false`.",
        (
            Query(total(rate("qrestore_differing_total"), "engine"), "differing, {{engine}}"),
            Query(total(rate("qrestore_inexact_total"), "engine"), "inexact, {{engine}}"),
        ),
        "ops", 24,
    ),
)  # fmt: skip

ROUTE: Final = rate("qrestore_route_total")
NETWORKS: Final = (
    Panel(
        "Share decided by each network",
        "Pictures with a region that the routing unit sent to the light or the heavy network first.",
        (Query(f"{total(ROUTE, 'network')} / on () group_left () {total(ROUTE)}", "{{network}}"),),
        "percentunit", 8, stacked=True, top=1,
    ),
    Panel(
        "Router score over time",
        "Laplacian variance of routed regions: low is blurred. What lies at or below the threshold goes to the heavy "
        "network.",
        (Query(total(increase("qrestore_laplacian_variance_bucket"), "le"), "{{le}}"),),
        "short", 8, kind="heatmap",
    ),
    Panel(
        "Router score",
        "The same over the whole shown period: regions by the upper bound of their Laplacian variance.",
        (Query(total(increase("qrestore_laplacian_variance_bucket", window="$__range"), "le"), "{{le}}"),),
        "short", 8, kind="bargauge", steps=(("blue", None),),
    ),
    Panel(
        "Inference time",
        "Time of one inference of a network, batch and all.",
        tuple(
            Query(quantile(q, "qrestore_inference_duration_seconds", "network"), f"p{q * 100:.0f} {{{{network}}}}")
            for q in (0.5, 0.95)
        ),
        "s", 8, 9,
    ),
    Panel(
        "Inferences a second",
        "How often each network ran.",
        (Query(total(rate("qrestore_inference_duration_seconds_count"), "network"), "{{network}}"),),
        "ops", 8, 9,
    ),
    Panel(
        "Batch size",
        "Crops that went through a network in one inference: the mean and p95.",
        (
            Query(
                f"{total(rate('qrestore_inference_batch_size_sum'), 'network')} / "
                f"{total(rate('qrestore_inference_batch_size_count'), 'network')}",
                "mean {{network}}",
            ),
            Query(f"clamp_min({quantile(0.95, 'qrestore_inference_batch_size', 'network')}, 1)", "p95 {{network}}"),
        ),
        "short", 8, 9,
    ),
    Panel(
        "Networks loaded",
        "What GET /models tells in full.",
        (Query(series("qrestore_model_info")),),
        "none", 24, 14, "table",
    ),
)  # fmt: skip

QUEUE: Final = (
    Panel(
        "Queue",
        "Requests that wait for a slot, of all replicas; dashed: how many may. What comes beyond gets 429.",
        (
            Query(total(series("qrestore_queue_length"), "instance"), "{{instance}}"),
            Query(total(series("qrestore_queue_capacity")), "capacity"),
        ),
        "short", 6, overrides=(dashed("capacity"),),
    ),
    Panel(
        "Slots",
        "Children at work; dashed: how many there are. All of them busy for long: more work than workers.",
        (
            Query(total(series("qrestore_busy_slots"), "instance"), "{{instance}}"),
            Query(total(series("qrestore_slots")), "slots"),
        ),
        "short", 6, overrides=(dashed("slots"),),
    ),
    Panel(
        "Slow slots",
        "Children at work on what takes long, and what waits for them after it gave way; dashed: how many there are.",
        (
            Query(total(series("qrestore_busy_slow_slots"), "instance"), "{{instance}}"),
            Query(total(series("qrestore_slow_queue_length"), "instance"), "{{instance}} waiting"),
            Query(total(series("qrestore_slow_slots")), "slots"),
        ),
        "short", 6, overrides=(dashed("slots"),),
    ),
    Panel(
        "Slow requests",
        "Requests that outlasted their time: moved to a slow slot, or ended, to begin again in one, as others waited.",
        (Query(total(rate("qrestore_slow_total"), "outcome"), "{{outcome}}"),),
        "reqps", 6, stacked=True,
    ),
    Panel(
        "Wait for a slot",
        "From admission to the start of the work; it counts towards a request's deadline.",
        tuple(Query(quantile(q, "qrestore_queue_seconds"), f"p{q * 100:.0f}") for q in (0.5, 0.95)),
        "s", 6,
    ),
    Panel(
        "Refusals by reason",
        "Requests a second that got 429 at once: the queue was full, or too many uploads were coming in.",
        (Query(total(rate("qrestore_refused_total"), "reason"), "{{reason}}"),),
        "reqps", 6, stacked=True,
    ),
    Panel(
        "Connections",
        "Open connections of clients.",
        (Query(total(series("qrestore_connections"), "instance"), "{{instance}}"),),
        "short", 6,
    ),
    Panel(
        "Connections lost by reason",
        "Closed without an answer: idle ones to make room, new ones that found neither room nor a file descriptor.",
        (Query(total(increase("qrestore_connections_lost_total"), "reason"), "{{reason}}"),),
        "short", 6, bars=True, stacked=True,
    ),
)  # fmt: skip

PROCESSES: Final = (
    Panel(
        "Child restarts by reason",
        "Workers replaced: crashed, killed at the deadline (timeout), or by routine (gave_way, unfinished, recycled).",
        (Query(total(increase("qrestore_child_restarts_total"), "reason"), "{{reason}}"),),
        "short", 6, bars=True, stacked=True,
    ),
    Panel(
        "Memory",
        "Resident memory of the server and of all its children; shared pages count more than once. "
        "Dashed: the limit of one replica's container.",
        (
            Query(total(series("process_resident_memory_bytes"), "instance"), "server {{instance}}"),
            Query(total(series("qrestore_child_memory_bytes"), "instance"), "children {{instance}}"),
            Query("qrestore:memory_limit:bytes", "limit"),
        ),
        "bytes", 6, stacked=True, overrides=(dashed("limit"),),
    ),
    Panel(
        "Processor time of the server",
        "Seconds a second of HTTP and inference; the children's work is not in it (see Work by stage).",
        (Query(total(rate("process_cpu_seconds_total"), "instance"), "{{instance}}"),),
        "short", 6,
    ),
    Panel(
        "Open files of the server",
        "Sockets and files. A number that only grows is a leak.",
        (Query(total(series("process_open_fds"), "instance"), "{{instance}}"),),
        "short", 6,
    ),
    Panel(
        "Uptime",
        "Since the server's start; a server that restarts by itself raises QrestoreServerRestarts.",
        (Query(f"time() - {series('process_start_time_seconds')}", "{{instance}}"),),
        "s", 8, 5, "stat", steps=(("blue", None),), options={"textMode": "value_and_name"},
    ),
    Panel(
        "Build",
        "What runs where.",
        (Query(series("qrestore_build_info")),),
        "none", 16, 5, "table",
    ),
)  # fmt: skip

ROWS: Final = (
    ("Overview", OVERVIEW),
    ("Traffic", TRAFFIC),
    ("Stages", STAGES),
    ("Reading", READING),
    ("Networks", NETWORKS),
    ("Queue and refusals", QUEUE),
    ("Processes", PROCESSES),
)
