//! Lists that come as lines of cells: the table format draws a box around them, the simple one puts commas between.

use detcd_proto::etcdserverpb as pb;

use super::Health;
use crate::ctl::go;

/// Column names and cells.
pub struct Rows {
    pub header: &'static [&'static str],
    pub cells: Vec<Vec<String>>,
}

pub fn members(response: &pb::MemberListResponse) -> Rows {
    let row = |member: &pb::Member| {
        let started = if member.name.is_empty() { "unstarted" } else { "started" };
        vec![
            format!("{:x}", member.id),
            started.to_owned(),
            member.name.clone(),
            member.peer_urls.join(","),
            member.client_urls.join(","),
            member.is_learner.to_string(),
        ]
    };
    Rows {
        header: &["ID", "Status", "Name", "Peer Addrs", "Client Addrs", "Is Learner"],
        cells: response.members.iter().map(row).collect(),
    }
}

pub fn health(list: &[Health]) -> Rows {
    let row = |health: &Health| {
        let took = health.took.map(go::format_duration).unwrap_or_default();
        vec![health.endpoint.clone(), health.is_well().to_string(), took, health.error.clone()]
    };
    Rows { header: &["endpoint", "health", "took", "error"], cells: list.iter().map(row).collect() }
}

pub fn status(list: &[(String, pb::StatusResponse)]) -> Rows {
    let row = |(endpoint, status): &(String, pb::StatusResponse)| {
        let member = status.header.as_ref().map_or(0, |header| header.member_id);
        let downgrade = status.downgrade_info.clone().unwrap_or_default();
        // A member without a file yet reports size 0; etcdctl divides by it and crashes.
        let used_percent = (status.db_size_in_use * 100).checked_div(status.db_size).unwrap_or(100);
        vec![
            endpoint.clone(),
            format!("{member:x}"),
            status.version.clone(),
            status.storage_version.clone(),
            human_size(status.db_size),
            human_size(status.db_size_in_use),
            format!("{}%", 100 - used_percent),
            human_size(status.db_size_quota),
            (status.leader == member).to_string(),
            status.is_learner.to_string(),
            status.raft_term.to_string(),
            status.raft_index.to_string(),
            status.raft_applied_index.to_string(),
            status.errors.join(", "),
            downgrade.target_version,
            downgrade.enabled.to_string(),
        ]
    };
    Rows {
        header: &[
            "endpoint",
            "ID",
            "version",
            "storage version",
            "db size",
            "in use",
            "percentage not in use",
            "quota",
            "is leader",
            "is learner",
            "raft term",
            "raft index",
            "raft applied index",
            "errors",
            "downgrade target version",
            "downgrade enabled",
        ],
        cells: list.iter().map(row).collect(),
    }
}

pub fn hash_kv(list: &[(String, pb::HashKvResponse)]) -> Rows {
    let row = |(endpoint, response): &(String, pb::HashKvResponse)| {
        vec![endpoint.clone(), response.hash.to_string(), response.hash_revision.to_string()]
    };
    Rows { header: &["endpoint", "hash", "hash_revision"], cells: list.iter().map(row).collect() }
}

/// An alarm's name, or its number if a newer server sends one without a name here.
pub fn alarm_name(number: i32) -> String {
    match pb::AlarmType::try_from(number) {
        Ok(alarm) => alarm.as_str_name().to_owned(),
        Err(_) => number.to_string(),
    }
}

/// Bytes in decimal units, one digit behind the point below ten: `999 B`, `1.0 kB`, `20 kB`, `2.1 GB`.
pub fn human_size(bytes: i64) -> String {
    const UNITS: &[&str] = &["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let bytes = bytes as u64;
    if bytes < 10 {
        return format!("{bytes} B");
    }
    let power = (bytes.ilog(1000)) as usize;
    let tenths = (bytes as f64 / 1000f64.powi(power as i32) * 10.0 + 0.5).floor();
    let value = tenths / 10.0;
    let decimals = usize::from(value < 10.0);
    format!("{value:.decimals$} {}", UNITS[power])
}
