//! Snapshots between members. As in etcd, a peer has its lines once one was sent to it or came from it.
use super::family::{Families, Labels};
use detcd_driver::meters::{Direction, Histogram, Meters, SnapshotMeters};
use std::sync::Arc;

pub fn add(families: &mut Families, meters: &Meters) {
    families.gauge(
        "etcd_server_snapshot_apply_in_progress_total",
        "1 if the server is applying the incoming snapshot. 0 if none.",
        meters.snapshots_applying.get() as f64,
    );
    for (direction, label, does) in [(Direction::To, "To", "send"), (Direction::From, "From", "receive")] {
        let peers: Vec<(String, Arc<SnapshotMeters>)> = meters
            .all_snapshots(direction)
            .into_iter()
            .map(|(peer, of)| (format!("{:x}", peer.0), of))
            .collect();
        let labelled: Vec<([(&str, &str); 1], &SnapshotMeters)> =
            peers.iter().map(|(peer, of)| ([(label, &**peer)], &**of)).collect();
        let name = |what: &str| format!("etcd_network_snapshot_{does}_{what}");
        families.counters(
            &name("success"),
            "Snapshots that arrived.",
            labelled.iter().map(|(labels, of)| (&labels[..], of.succeeded.get())),
        );
        families.counters(
            &name("failures"),
            "Snapshots that did not arrive.",
            labelled.iter().map(|(labels, of)| (&labels[..], of.failed.get())),
        );
        families.gauges(
            &name("inflights_total"),
            "Snapshots on their way.",
            labelled.iter().map(|(labels, of)| (&labels[..], of.inflight.get() as f64)),
        );
        families.histograms(
            &name("total_duration_seconds"),
            "How long a snapshot was on its way.",
            labelled.iter().map(|(labels, of)| -> (Labels<'_>, &Histogram) { (&labels[..], &of.durations) }),
        );
    }
}
