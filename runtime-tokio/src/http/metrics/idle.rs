//! Metrics of parts that etcd has and this server does not, or has and never uses: tools that look for them find them,
//! and what they say is true. There is no file of pages that commits, no v2 store, no proxy, no Go.
use super::family::Families;

const GAUGES: &[&str] = &[
    "etcd_disk_defrag_inflight",
    "etcd_debugging_mvcc_db_compaction_last",
    "etcd_debugging_store_watchers",
    "etcd_grpc_proxy_cache_hits_total",
    "etcd_grpc_proxy_cache_keys_total",
    "etcd_grpc_proxy_cache_misses_total",
    "etcd_grpc_proxy_watchers_coalescing_total",
    "etcd_mvcc_db_open_read_transactions",
    "go_gc_gogc_percent",
    "go_gc_gomemlimit_bytes",
    "go_goroutines",
    "go_memstats_alloc_bytes",
    "go_memstats_buck_hash_sys_bytes",
    "go_memstats_gc_sys_bytes",
    "go_memstats_heap_alloc_bytes",
    "go_memstats_heap_idle_bytes",
    "go_memstats_heap_inuse_bytes",
    "go_memstats_heap_objects",
    "go_memstats_heap_released_bytes",
    "go_memstats_heap_sys_bytes",
    "go_memstats_last_gc_time_seconds",
    "go_memstats_mcache_inuse_bytes",
    "go_memstats_mcache_sys_bytes",
    "go_memstats_mspan_inuse_bytes",
    "go_memstats_mspan_sys_bytes",
    "go_memstats_next_gc_bytes",
    "go_memstats_other_sys_bytes",
    "go_memstats_stack_inuse_bytes",
    "go_memstats_stack_sys_bytes",
    "go_memstats_sys_bytes",
    "go_sched_gomaxprocs_threads",
    "go_threads",
];

const COUNTERS: &[&str] = &[
    "etcd_debugging_store_expires_total",
    "etcd_debugging_store_watch_requests_total",
    "etcd_grpc_proxy_events_coalescing_total",
    "etcd_server_learner_promote_successes",
    "go_memstats_alloc_bytes_total",
    "go_memstats_frees_total",
    "go_memstats_mallocs_total",
];

/// The first bound, and how many there are; each is twice the one before.
const HISTOGRAMS: &[(&str, f64, i32)] = &[
    ("etcd_debugging_disk_backend_commit_rebalance_duration_seconds", 0.001, 14),
    ("etcd_debugging_disk_backend_commit_spill_duration_seconds", 0.001, 14),
    ("etcd_debugging_disk_backend_commit_write_duration_seconds", 0.001, 14),
    ("etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds", 1.0, 13),
    ("etcd_debugging_mvcc_db_compaction_total_duration_milliseconds", 100.0, 14),
    ("etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds", 0.5, 14),
    ("etcd_debugging_server_watch_send_loop_control_stream_duration_seconds", 0.001, 13),
    ("etcd_debugging_server_watch_send_loop_progress_duration_seconds", 0.001, 13),
    ("etcd_debugging_server_watch_send_loop_watch_stream_duration_per_event_seconds", 0.001, 13),
    ("etcd_debugging_server_watch_send_loop_watch_stream_duration_seconds", 0.001, 13),
    ("etcd_disk_backend_commit_duration_seconds", 0.001, 14),
    ("etcd_disk_backend_defrag_duration_seconds", 0.1, 13),
];

const HELP: &str = "Always zero: this server does not have what it measures.";

pub fn add(families: &mut Families) {
    for name in GAUGES {
        families.gauge(name, HELP, 0.0);
    }
    for name in COUNTERS {
        families.counter(name, HELP, 0);
    }
    for (name, first, count) in HISTOGRAMS {
        let bounds: Vec<(f64, u64)> = (0..*count).map(|at| (first * 2_f64.powi(at), 0)).collect();
        families.buckets(name, HELP, &bounds, 0.0);
    }
    families.empty_summary("go_gc_duration_seconds", HELP);
    families.gauges("go_info", "The version of Go in use.", [(&[("version", "none (Rust)")][..], 1.0)]);
}
