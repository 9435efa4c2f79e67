//! What the core and the driver have counted, and where this member stands.
use super::family::{Families, Labels};
use crate::{Tokio, net::Net};
use detcd_core::{
    Edition, quota,
    state::tally::{LEASE_TTL_BOUNDS, OPERATIONS},
    version,
};
use detcd_driver::{
    Node,
    meters::{ByOutcome, Histogram, Meters},
};
use detcd_proto::etcdserverpb::AlarmType;
use std::collections::BTreeMap;

/// Feature gates by name and stage. None of what they switch is there, so none is on.
const GATES: [(&str, &str); 9] = [
    ("AllAlpha", "ALPHA"),
    ("AllBeta", "BETA"),
    ("CompactHashCheck", "ALPHA"),
    ("InitialCorruptCheck", "ALPHA"),
    ("LeaseCheckpoint", "ALPHA"),
    ("LeaseCheckpointPersist", "ALPHA"),
    ("SetMemberLocalAddr", "ALPHA"),
    ("StopGRPCServiceOnDefrag", "ALPHA"),
    ("TxnModeWriteWithSharedBuffer", "BETA"),
];

pub fn add(families: &mut Families, node: &Node<Tokio>) {
    let edition = node.latest();
    standing(families, node, &edition);
    keyspace(families, &edition, node.meters());
    work(families, node.meters());
    checkpoints(families, node.meters());
    watches(families, node.meters());
}

fn standing(families: &mut Families, node: &Node<Tokio>, edition: &Edition) {
    let (standing, view, meters) = (edition.standing, &edition.view, node.meters());
    let me = node.config().me.id;
    let id = me.to_string();
    let flag = |is_so: bool| f64::from(u8::from(is_so));
    families.gauge(
        "etcd_server_has_leader",
        "1 if this member knows a leader.",
        flag(standing.leader.is_some()),
    );
    families.gauge("etcd_server_is_leader", "1 if this member leads.", flag(standing.leader == Some(me)));
    families.gauge("etcd_server_is_learner", "1 if this member is a learner.", flag(standing.is_learner));
    families.counter(
        "etcd_server_leader_changes_seen_total",
        "How often somebody led who had not led before.",
        meters.leader_changes.get(),
    );
    families.counter(
        "etcd_server_heartbeat_send_failures_total",
        "Heartbeats of this leader that were late by more than two intervals.",
        meters.late_heartbeats.get(),
    );
    families.gauge("etcd_server_proposals_committed_total", "The commit index.", standing.commit as f64);
    families.gauge(
        "etcd_server_proposals_applied_total",
        "The index of the entry applied last.",
        standing.applied as f64,
    );
    families.gauge(
        "etcd_server_proposals_pending",
        "Proposals that wait for their answer here.",
        meters.proposals_pending.get() as f64,
    );
    families.counter(
        "etcd_server_proposals_failed_total",
        "Proposals that were dropped or not answered in time.",
        meters.proposals_failed.get(),
    );
    families.counter(
        "etcd_server_read_indexes_failed_total",
        "Linearizable reads that could not be confirmed.",
        meters.reads_failed.get(),
    );
    families.counter(
        "etcd_server_slow_read_indexes_total",
        "Linearizable reads that were not confirmed in time.",
        meters.reads_slow.get(),
    );
    families.gauge(
        "etcd_server_quota_backend_bytes",
        "Space that the keyspace may take, in bytes.",
        quota::effective(node.config().quota_backend_bytes) as f64,
    );
    families.counter("etcd_server_health_success", "Good answers of /health.", meters.health_good.get());
    families.counter("etcd_server_health_failures", "Bad answers of /health.", meters.health_bad.get());
    let server = version::SERVER.to_string();
    families.gauges(
        "etcd_server_version",
        "This server's version.",
        [(&[("server_version", &*server)][..], 1.0)],
    );
    families.gauges(
        "etcd_server_go_version",
        "The version of Go that this server was built with.",
        [(&[("server_go_version", "none (Rust)")][..], 1.0)],
    );
    families.gauges("etcd_server_id", "This member's id.", [(&[("server_id", &*id)][..], 1.0)]);
    let gates = GATES.map(|(name, stage)| [("name", name), ("stage", stage)]);
    families.gauges(
        "etcd_server_feature_enabled",
        "1 if a feature is on.",
        gates.iter().map(|labels| (&labels[..], 0.0)),
    );
    if let Some(cluster) = &view.cluster_version {
        // Without the patch, which is always zero.
        let short = cluster.rsplit_once('.').map_or(cluster.as_str(), |(short, _)| short);
        families.gauges(
            "etcd_cluster_version",
            "The cluster's version.",
            [(&[("cluster_version", short)][..], 1.0)],
        );
    }
    let alarms: Vec<(String, &str)> = view
        .alarms
        .iter()
        .map(|alarm| {
            let kind = AlarmType::try_from(alarm.alarm).unwrap_or(AlarmType::None);
            (format!("{:x}", alarm.member_id), kind.as_str_name())
        })
        .collect();
    let labels: Vec<[(&str, &str); 2]> =
        alarms.iter().map(|(member, kind)| [("alarm_type", *kind), ("server_id", &**member)]).collect();
    families.gauges(
        "etcd_debugging_server_alarms",
        "Raised alarms.",
        labels.iter().map(|labels| (&labels[..], 1.0)),
    );
}

fn keyspace(families: &mut Families, edition: &Edition, meters: &Meters) {
    let (keyspace, tally) = (&edition.view.keyspace, &edition.tally);
    families.counter(
        "etcd_mvcc_range_total",
        "Reads of the keyspace, those inside transactions and other changes too.",
        tally.ranges + meters.ranges.get(),
    );
    families.counter("etcd_mvcc_put_total", "Puts, those inside transactions too.", tally.puts);
    families.counter("etcd_mvcc_delete_total", "Deletions, of one key or many.", tally.deletes);
    families.counter(
        "etcd_mvcc_txn_total",
        "Requests of more than one operation on the keyspace.",
        tally.txns + meters.txns.get(),
    );
    let size = quota::image_bytes(keyspace.bytes_total()) as f64;
    families.gauge("etcd_mvcc_db_total_size_in_bytes", "What the keyspace takes as a file, in bytes.", size);
    families.gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "What of it is in use, in bytes.", size);
    families.histogram("etcd_mvcc_hash_rev_duration_seconds", "How long HashKV took.", &meters.hash_kv);
    let auth_revision = edition.view.auth.revision() as f64;
    families.gauge("etcd_debugging_auth_revision", "Changes of users and roles.", auth_revision);
    families.gauge("etcd_debugging_mvcc_keys_total", "Keys there are now.", keyspace.len() as f64);
    families.gauge(
        "etcd_debugging_mvcc_current_revision",
        "The newest revision.",
        keyspace.revision() as f64,
    );
    families.gauge(
        "etcd_debugging_mvcc_compact_revision",
        "The revision of the last compaction, -1 before the first.",
        keyspace.compact_revision() as f64,
    );
    families.gauge(
        "etcd_debugging_mvcc_total_put_size_in_bytes",
        "Keys and values of all puts, in bytes.",
        tally.put_bytes as f64,
    );
    families.counter(
        "etcd_debugging_mvcc_db_compaction_keys_total",
        "Records that compactions have removed.",
        tally.compacted_records,
    );
    families.counter("etcd_debugging_lease_granted_total", "Leases granted.", tally.leases_granted);
    families.counter(
        "etcd_debugging_lease_revoked_total",
        "Leases revoked, those expired too.",
        tally.leases_revoked,
    );
    families.counter(
        "etcd_debugging_lease_renewed_total",
        "Leases renewed here.",
        meters.leases_renewed.get(),
    );
    families.counter(
        "etcd_debugging_server_lease_expired_total",
        "Leases that ran out.",
        tally.leases_expired,
    );
    let bound = |at| if at == LEASE_TTL_BOUNDS { f64::INFINITY } else { (1_u64 << at) as f64 };
    let ttls: Vec<(f64, u64)> =
        tally.lease_ttls.iter().enumerate().map(|(at, count)| (bound(at), *count)).collect();
    families.buckets(
        "etcd_debugging_lease_ttl_total",
        "TTLs of granted leases, in seconds.",
        &ttls,
        tally.lease_ttl_secs as f64,
    );
}

/// A series appears with its first sample.
fn is_used(histogram: &Histogram) -> bool {
    histogram.buckets().iter().any(|(_, count)| *count > 0)
}

/// The series that have a sample, by name and outcome.
fn by_outcome<'a>(
    name: &'a str,
    meters: &'a ByOutcome,
) -> impl Iterator<Item = (&'a str, &'static str, &'a Histogram)> {
    [("false", &meters.failed), ("true", &meters.succeeded)]
        .into_iter()
        .filter(|(_, histogram)| is_used(histogram))
        .map(move |(success, histogram)| (name, success, histogram))
}

fn work(families: &mut Families, meters: &Meters) {
    let applies = OPERATIONS.iter().zip(&meters.apply).flat_map(|(name, meters)| by_outcome(name, meters));
    let applies: Vec<_> = applies
        .chain(by_outcome("Range", &meters.range))
        .map(|(op, success, histogram)| ([("op", op), ("success", success), ("version", "v3")], histogram))
        .collect();
    families.histograms(
        "etcd_server_apply_duration_seconds",
        "How long applying took: an entry's even share of the turn that applied it, and each read.",
        applies.iter().map(|(labels, histogram)| (&labels[..], *histogram)),
    );
    families.counter(
        "etcd_server_slow_apply_total",
        "Entries whose share was longer than a tenth of a second.",
        meters.applies_slow.get(),
    );
    let ranges: Vec<_> = by_outcome("", &meters.range)
        .map(|(_, success, histogram)| ([("success", success)], histogram))
        .collect();
    families.histograms(
        "etcd_server_range_duration_seconds",
        "How long reads took.",
        ranges.iter().map(|(labels, histogram)| (&labels[..], *histogram)),
    );
    let requests =
        OPERATIONS.iter().zip(&meters.requests).flat_map(|(name, meters)| by_outcome(name, meters));
    let requests: Vec<_> = requests
        .map(|(name, success, histogram)| ([("success", success), ("type", name)], histogram))
        .collect();
    families.histograms(
        "etcd_server_request_duration_seconds",
        "How long proposals took from here to their answer.",
        requests.iter().map(|(labels, histogram)| (&labels[..], *histogram)),
    );
    families.histogram(
        "etcd_disk_wal_fsync_duration_seconds",
        "How long syncing the log took.",
        &meters.wal_fsync,
    );
    families.histogram(
        "etcd_disk_wal_write_duration_seconds",
        "How long writing the log took.",
        &meters.wal_write,
    );
    families.gauge(
        "etcd_disk_wal_write_bytes_total",
        "Bytes written to the log.",
        meters.wal_bytes.get() as f64,
    );
}

fn checkpoints(families: &mut Families, meters: &Meters) {
    let times = [
        ("etcd_snap_db_save_total_duration_seconds", "How long writing an image took.", &meters.snap_db_save),
        (
            "etcd_snap_db_fsync_duration_seconds",
            "How long the last sync of an image took.",
            &meters.snap_db_fsync,
        ),
        (
            "etcd_debugging_snap_save_total_duration_seconds",
            "How long writing the small file beside an image took.",
            &meters.snap_save,
        ),
        (
            "etcd_debugging_snap_save_marshalling_duration_seconds",
            "How long encoding it took.",
            &meters.snap_marshalling,
        ),
        ("etcd_snap_fsync_duration_seconds", "How long syncing it took.", &meters.snap_fsync),
    ];
    for (name, help, histogram) in times {
        families.histogram(name, help, histogram);
    }
}

fn watches(families: &mut Families, meters: &Meters) {
    let gauges: [(&str, &str, u64); 4] = [
        ("etcd_debugging_mvcc_watch_stream_total", "Open watch streams.", meters.watch_streams.get()),
        ("etcd_debugging_mvcc_watcher_total", "Watchers.", meters.watchers.get()),
        ("etcd_debugging_mvcc_slow_watcher_total", "Watchers that lag.", meters.watchers_slow.get()),
        (
            "etcd_debugging_mvcc_pending_events_total",
            "Events that wait for their clients.",
            meters.events_pending.get(),
        ),
    ];
    for (name, help, value) in gauges {
        families.gauge(name, help, value as f64);
    }
    families.counter("etcd_debugging_mvcc_events_total", "Events sent to clients.", meters.events.get());
}

/// What the links to the other members have carried.
pub fn add_links(families: &mut Families, node: &Node<Tokio>, net: &Net) {
    let me = node.config().me.id.to_string();
    let ids: Vec<String> = node.latest().view.members.iter().map(|member| member.id.to_string()).collect();
    let known: Vec<_> = ids.iter().map(|id| [("Local", &*me), ("Remote", &**id)]).collect();
    families.gauges(
        "etcd_network_known_peers",
        "Members of the cluster, this one too.",
        known.iter().map(|labels| (&labels[..], 1.0)),
    );
    let links: BTreeMap<String, _> = net
        .links()
        .into_iter()
        .map(|(id, meters, is_linked)| (id.to_string(), (meters, is_linked)))
        .collect();
    let between: Vec<_> =
        links.iter().map(|(id, link)| ([("Local", &*me), ("Remote", &**id)], link)).collect();
    families.gauges(
        "etcd_network_active_peers",
        "1 while a peer's stream stands.",
        between.iter().map(|(labels, (_, is_linked))| (&labels[..], f64::from(u8::from(*is_linked)))),
    );
    families.counters(
        "etcd_network_disconnected_peers_total",
        "How often a peer's last stream fell.",
        between.iter().map(|(labels, (meters, _))| (&labels[..], meters.disconnected.get())),
    );
    let to: Vec<_> = links.iter().map(|(id, (meters, _))| ([("To", &**id)], meters)).collect();
    let from: Vec<_> = links.iter().map(|(id, (meters, _))| ([("From", &**id)], meters)).collect();
    families.counters(
        "etcd_network_peer_sent_bytes_total",
        "Bytes sent to a peer.",
        to.iter().map(|(labels, meters)| (&labels[..], meters.sent_bytes.get())),
    );
    families.counters(
        "etcd_network_peer_received_bytes_total",
        "Bytes received from a peer.",
        from.iter().map(|(labels, meters)| (&labels[..], meters.received_bytes.get())),
    );
    families.counters(
        "etcd_network_peer_sent_failures_total",
        "Messages to a peer that were lost on this side.",
        to.iter().map(|(labels, meters)| (&labels[..], meters.sent_failures.get())),
    );
    families.counters(
        "etcd_network_peer_received_failures_total",
        "Streams of a peer that broke.",
        from.iter().map(|(labels, meters)| (&labels[..], meters.received_failures.get())),
    );
    families.histograms(
        "etcd_network_peer_round_trip_time_seconds",
        "How long a peer took to answer.",
        to.iter().map(|(labels, meters)| -> (Labels<'_>, &Histogram) { (&labels[..], &meters.round_trip) }),
    );
}
