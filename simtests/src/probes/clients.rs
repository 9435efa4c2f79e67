//! What clients and watchers hear.
use detcd_jepsen_like::history::{Outcome, Refusal, Request, Response};
use detcd_proto::etcdserverpb::WatchResponse;
use detcd_runtime_sim::World;

/// A request was answered, or given up.
pub fn answered(request: &Request, outcome: &Outcome, world: &mut World) {
    let what = match outcome {
        Outcome::Ok(response) => return done(request, response, world),
        Outcome::Failed(refusal) => match (refusal, request) {
            (Refusal::Compacted, Request::Compact { .. }) => "seen: a compaction comes too late",
            (Refusal::Compacted, _) => "seen: a read of the past is refused as compacted",
            (Refusal::FutureRevision, Request::Compact { .. }) => {
                "seen: a compaction of the future is refused"
            }
            (Refusal::FutureRevision, _) => "seen: a read of the future is refused",
            (Refusal::LeaseNotFound, Request::Put(_)) => "seen: a put finds its lease gone",
            (Refusal::LeaseNotFound, _) => "seen: a lease to revoke is gone",
            (Refusal::KeyNotFound, _) => "seen: a key is not found",
            (Refusal::Other(_), Request::LeaseGrant { .. }) => "seen: a lease is there already",
            (Refusal::Other(_), _) => "seen: a request is refused",
        },
        Outcome::Unknown(text) => unknown(text, request),
    };
    world.count(what);
}

fn unknown(text: &str, request: &Request) -> &'static str {
    let write = request.can_write();
    let has = |part: &str| text.contains(part);
    match () {
        () if has("the client gave up") && write => "seen: a client gives up a write",
        () if has("the client gave up") => "seen: a client gives up a read",
        () if has("the connection broke") && write => "seen: a connection breaks under a write",
        () if has("the connection broke") => "seen: a connection breaks under a read",
        () if has("leader changed") && write => "seen: the leader changes under a write",
        () if has("leader changed") => "seen: the leader changes under a read",
        () if has("due to previous leader failure") => "seen: a request outlives its leader and times out",
        () if has("timed out") && write => "seen: a member gives up a write",
        () if has("timed out") => "seen: a member gives up a read",
        () if has("no leader") => "seen: nobody leads",
        () if has("server stopped") => "seen: a member that ends refuses",
        () if has("proposal dropped") => "seen: a proposal is dropped",
        () => "seen: a request ends in another unknown way",
    }
}

fn done(request: &Request, response: &Response, world: &mut World) {
    match (request, response) {
        (Request::Range(asked), Response::Range(range)) => {
            world.count(match (asked.serializable, asked.revision > 0) {
                (true, true) => "seen: a member is read at an old revision",
                (true, false) => "seen: a member is read as it is",
                (false, true) => "seen: an old revision is read",
                (false, false) => "seen: the newest state is read",
            });
            if range.kvs.is_empty() {
                world.count("seen: a read finds nothing");
            }
            if range.more {
                world.count("seen: a read is cut short by its limit");
            }
        }
        (Request::Put(asked), Response::Put(put)) => {
            world.count(if asked.lease > 0 { "seen: a put with a lease" } else { "seen: a put" });
            if asked.prev_kv {
                let was_there = put.prev_kv.is_some();
                world.count(if was_there {
                    "seen: a put tells what was there"
                } else {
                    "seen: a put finds nothing before it"
                });
            }
        }
        (Request::Delete(_), Response::Delete(delete)) => world.count(match delete.deleted {
            0 => "seen: a delete of nothing",
            1 => "seen: a delete of one key",
            _ => "seen: a delete of several keys",
        }),
        (Request::Txn(asked), Response::Txn(txn)) => {
            world.count(match (asked.compares.is_empty(), txn.succeeded) {
                (true, _) => "seen: a txn of several keys",
                (_, true) => "seen: a txn whose compare holds",
                (_, false) => "seen: a txn whose compare fails",
            })
        }
        (Request::Compact { .. }, _) => world.count("seen: a compaction"),
        (Request::LeaseGrant { .. }, _) => world.count("seen: a lease is granted"),
        (Request::LeaseRevoke { .. }, _) => world.count("seen: a lease is revoked"),
        _ => {}
    }
}

/// A renewal was answered, or given up.
pub fn renewed(outcome: &Outcome, world: &mut World) {
    match outcome {
        Outcome::Ok(_) => {}
        Outcome::Failed(_) => world.count("seen: a renewal finds its lease gone"),
        Outcome::Unknown(text) if text.contains("primary") => {
            world.count("seen: a renewal is asked of one who does not lead");
        }
        Outcome::Unknown(_) => world.count("seen: a renewal gets no answer"),
    }
}

/// A watcher heard something.
pub fn reply_heard(reply: &WatchResponse, world: &mut World) {
    let revision = reply.header.as_ref().map_or(0, |header| header.revision);
    if reply.created {
        return world.count("seen: a watch begins");
    }
    if reply.canceled {
        let compacted = reply.compact_revision > 0;
        return world.count(if compacted {
            "seen: a watch is cancelled by a compaction"
        } else {
            "seen: a watch is cancelled"
        });
    }
    if reply.fragment {
        world.count("seen: a watcher hears a fragment");
    }
    let at = |event: &detcd_proto::mvccpb::Event| event.kv.as_ref().map_or(0, |kv| kv.mod_revision);
    match (reply.events.first().map(at), reply.events.last().map(at)) {
        (None, _) => world.count("seen: a watcher hears of progress"),
        (Some(first), Some(last)) => {
            if first != last {
                world.count("seen: a watcher hears several revisions at once");
            } else if reply.events.len() > 1 {
                world.count("seen: a watcher hears several events of one revision");
            }
            if last < revision {
                world.count("seen: a watcher catches up");
            }
            if last + 100 < revision {
                world.count("seen: a watcher is a hundred revisions behind");
            }
            if reply.events.iter().any(|event| event.prev_kv.is_some()) {
                world.count("seen: a watcher hears what was there before");
            }
        }
        (Some(_), None) => {}
    }
}
