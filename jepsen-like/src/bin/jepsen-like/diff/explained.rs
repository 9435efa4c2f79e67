//! Differences that have to be, each with its reason. What is in this table is counted apart; an entry that explained
//! nothing in a run is told, so that the table does not outlive its reasons.

use prost_reflect::{DynamicMessage, Value};

use super::answer::Difference;
use super::duel::Clash;
use super::plan::{Token, path};

/// One explained difference: the method, the field, and what else must hold.
pub struct Explained {
    pub name: &'static str,
    /// `*` for any method.
    method: &'static str,
    applies: fn(&Clash, &Difference) -> bool,
    pub reason: &'static str,
}

pub const ALL: &[Explained] = &[
    Explained {
        name: "range stream",
        method: path::RANGE_STREAM,
        applies: |_, _| true,
        reason: "a method since 3.7",
    },
    Explained {
        name: "sort order",
        method: path::RANGE,
        applies: |_, difference| a_says(difference, "invalid sort option"),
        reason: "unknown numbers are refused since 3.6, and meant no order before",
    },
    Explained {
        name: "token without users",
        method: path::RANGE,
        applies: |clash, _| {
            (matches!(clash.caller.token, Token::Garbage(_)) || !clash.asks_who)
                && clash.answers[1].status.1 == "etcdserver: invalid auth token"
        },
        reason: "while authentication is off, tokens are not looked at since 3.6",
    },
    Explained {
        name: "order of checks in a transaction",
        method: path::TXN,
        applies: |clash, _| clash.answers.iter().all(|answer| IN_TXN.contains(&answer.status.1.as_str())),
        reason: "the operations of the chosen branch are checked in order since 3.6, all puts before all ranges before",
    },
    Explained {
        name: "hash revision",
        method: path::HASH_KV,
        applies: |_, difference| difference.kind() == ".hash_revision",
        reason: "a field since 3.6",
    },
    Explained {
        name: "hash of a compaction",
        method: path::HASH_KV,
        applies: |clash, difference| {
            [".hash", ".compact_revision"].contains(&difference.kind().as_str())
                && asked_i64(clash, "revision").is_some_and(|revision| clash.compactions.contains(&revision))
        },
        reason: "since 3.5.5 the hash of a compaction is kept and told with the bound before it",
    },
    Explained {
        name: "hash at a compacted revision",
        method: path::HASH_KV,
        applies: |clash, _| {
            asked_i64(clash, "revision").is_some_and(|revision| clash.compactions.contains(&revision))
                && clash.answers[0].is_ok()
                && clash.answers[1].status.1 == "etcdserver: mvcc: required revision has been compacted"
        },
        reason: "since 3.5.5 the hashes of the last ten compactions are kept",
    },
    Explained {
        name: "health list",
        method: "/grpc.health.v1.Health/List",
        applies: |clash, _| clash.answers[1].status.1.starts_with("unknown method"),
        reason: "a method of newer gRPC libraries",
    },
    Explained {
        name: "watch that is not permitted",
        method: path::WATCH,
        applies: |clash, difference| {
            let reason = |at: usize| -> Option<String> {
                let reply = clash.answers[at].messages.first()?;
                Some(reply.get_field_by_name("cancel_reason")?.as_str()?.to_owned())
            };
            [".watch_id", ".cancel_reason"].contains(&difference.kind().as_str())
                && [0, 1]
                    .iter()
                    .all(|at| reason(*at).is_some_and(|why| why.starts_with("rpc error: code = ")))
        },
        reason: "has the ID -1 and the very reason since 3.6, and was always called a lack of permission before",
    },
    Explained {
        name: "Bearer",
        method: path::RANGE,
        applies: |clash, _| {
            matches!(clash.caller.token, Token::User { prefix: "Bearer ", .. })
                && clash.answers[1].status.1 == "etcdserver: invalid auth token"
        },
        reason: "is taken off a token since 3.6",
    },
    Explained {
        name: "calls that anybody could make",
        method: "*",
        applies: |clash, _| {
            let refusals = [
                "etcdserver: user name is empty",
                "etcdserver: invalid auth token",
                "etcdserver: permission denied",
            ];
            let asked = [
                path::STATUS,
                path::COMPACT,
                path::LEASE_GRANT,
                path::LEASE_LEASES,
                path::LEASE_TIME_TO_LIVE,
                "/etcdserverpb.Lease/LeaseRevoke",
                "/etcdserverpb.Lease/LeaseKeepAlive",
                "/etcdserverpb.Cluster/MemberList",
                "/etcdserverpb.Maintenance/Downgrade",
                "/etcdserverpb.Maintenance/MoveLeader",
            ];
            asked.contains(&clash.path)
                && refusals.contains(&clash.answers[0].status.1.as_str())
                && !refusals.contains(&clash.answers[1].status.1.as_str())
        },
        reason: "ask who is asking since 3.6, if authentication is on",
    },
    Explained {
        name: "HashKV over HTTP",
        method: path::HASH_KV,
        applies: |clash, _| clash.caller.gateway && clash.answers[1].status.1.starts_with("HTTP 404"),
        reason: "has a path of its own since 3.6",
    },
    Explained {
        name: "raw errors of authentication",
        method: "*",
        applies: |clash, _| {
            let [a, b] = clash.answers.each_ref().map(|answer| answer.status.1.as_str());
            let said = a.strip_prefix("etcdserver: ").zip(b.strip_prefix("auth: "));
            clash.path.starts_with("/etcdserverpb.Maintenance/") && said.is_some_and(|(a, b)| a == b)
        },
        reason: "maintenance calls told the inner text as Unknown before 3.6",
    },
    Explained {
        name: "the role root",
        method: "/etcdserverpb.Auth/RoleGet",
        applies: |clash, difference| {
            let role = clash.request.as_ref().and_then(|request| request.get_field_by_name("role"));
            difference.kind().starts_with(".perm") && role.is_some_and(|role| role.as_str() == Some("root"))
        },
        reason: "is shown with all permissions since 3.6",
    },
    Explained {
        name: "errors of alarms of no kind",
        method: path::STATUS,
        applies: |_, difference| {
            difference.kind() == ".errors" && difference.b.as_ref().is_some_and(|b| !b.contains("alarm:"))
        },
        reason: "since 3.5 an alarm of no kind is none",
    },
    Explained {
        name: "alarms of 3.4",
        method: path::ALARM,
        applies: |clash, difference| {
            [".header", ".alarms"].contains(&difference.kind().as_str())
                && clash.answers[1].messages.iter().all(|answer| !answer.has_field_by_name("header"))
        },
        reason: "since 3.5 the answer has a header, and an alarm of no kind is none",
    },
    Explained {
        name: "downgrade",
        method: path::DOWNGRADE,
        applies: |clash, difference| {
            let side = |at: usize| clash.answers[at].status.1.as_str();
            let of_target =
                |text: &str| text.is_empty() || text == "etcdserver: invalid downgrade target version";
            difference.kind() == ".version"
                || side(1).starts_with("unknown method")
                || side(1) == "etcdserver: no inflight downgrade job" && clash.answers[0].is_ok()
                || of_target(side(0)) && of_target(side(1))
        },
        reason: "each server goes down from its own version; cancelling nothing is no error since 3.6; a method since 3.5",
    },
    Explained {
        name: "version",
        method: path::STATUS,
        applies: |_, difference| difference.kind() == ".version",
        reason: "each server tells its own",
    },
    Explained {
        name: "status since 3.6",
        method: path::STATUS,
        applies: |_, difference| {
            [".storageVersion", ".dbSizeQuota", ".downgradeInfo"].contains(&difference.kind().as_str())
        },
        reason: "fields since 3.6",
    },
    Explained {
        name: "watch from a negative revision",
        method: path::WATCH,
        applies: |clash, difference| {
            let create =
                clash.request.as_ref().and_then(|request| request.get_field_by_name("create_request"));
            let create = create.as_deref().and_then(Value::as_message);
            let start = create.and_then(|create| create.get_field_by_name("start_revision")?.as_i64());
            start.is_some_and(|start| start < 0)
                && [".watch_id", ".canceled", ".cancel_reason"].contains(&difference.kind().as_str())
        },
        reason: "refused as compacted since 3.6",
    },
    Explained {
        name: "permission on an interval without keys",
        method: "*",
        applies: |clash, difference| {
            let denied = clash.answers.each_ref().map(|answer| answer.status.1 == DENIED);
            difference.kind() == "status"
                && clash.asks_who
                && denied[0] != denied[1]
                && clash.request.as_ref().is_some_and(asks_for_no_key)
        },
        reason: "there is nothing in it to be kept from anybody; etcd's answer hangs on the shape of a search tree",
    },
];

const DENIED: &str = "etcdserver: permission denied";

/// Whether the request or one inside it names an interval that ends at or before its start.
fn asks_for_no_key(request: &DynamicMessage) -> bool {
    let bytes = |name: &str| {
        request.get_field_by_name(name).and_then(|value| value.as_bytes().cloned()).unwrap_or_default()
    };
    let (key, end) = (bytes("key"), bytes("range_end"));
    let is_empty = !end.is_empty() && end[..] != [0] && end <= key;
    is_empty || request.fields().any(|(_, value)| holds_no_key(value))
}

fn holds_no_key(value: &Value) -> bool {
    match value {
        Value::Message(message) => asks_for_no_key(message),
        Value::List(values) => values.iter().any(holds_no_key),
        _ => false,
    }
}

fn asked_i64(clash: &Clash, field: &str) -> Option<i64> {
    clash.request.as_ref()?.get_field_by_name(field)?.as_i64()
}

/// What an operation of a transaction can be refused with when its turn has come.
const IN_TXN: [&str; 4] = [
    "etcdserver: key not found",
    "etcdserver: requested lease not found",
    "etcdserver: mvcc: required revision has been compacted",
    "etcdserver: mvcc: required revision is a future revision",
];

fn a_says(difference: &Difference, words: &str) -> bool {
    difference.kind() == "status" && difference.a.as_ref().is_some_and(|a| a.contains(words))
}

/// The entries that explain a clash, one for each difference, or `None` if any of them is new.
pub fn explain(clash: &Clash) -> Option<Vec<&'static str>> {
    let explain = |difference: &Difference| {
        let fits = |entry: &&Explained| {
            (entry.method == "*" || entry.method == clash.path) && (entry.applies)(clash, difference)
        };
        ALL.iter().find(fits).map(|entry| entry.name)
    };
    clash.differences.iter().map(explain).collect()
}
