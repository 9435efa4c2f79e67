//! What members tell their operators.
use detcd_runtime_sim::World;

/// The beginning of a line behind its level, and what it shows.
const NOTES: [(&str, &str); 25] = [
    ("became pre-candidate", "seen: a member asks whether it could win"),
    ("became candidate", "seen: a member stands for election"),
    ("became leader", "seen: a member wins an election"),
    ("became follower", "seen: a member follows"),
    ("quorum lost", "seen: a leader steps down without a quorum"),
    ("disk stuck", "seen: a leader steps down with a stuck disk"),
    ("leadership transfer started", "seen: a transfer of the lead begins"),
    ("leadership transfer aborted", "seen: a transfer of the lead is given up"),
    ("leadership transfer failed", "seen: a member ends though nobody took its lead"),
    ("lease expired", "seen: a lease runs out"),
    ("repairing", "seen: a torn log is repaired"),
    ("cluster version", "seen: the cluster agrees on a version"),
    ("recovered store from snapshot instead", "seen: a start from the checkpoint before"),
    ("recovered store from snapshot", "seen: a start from a checkpoint"),
    ("reading the log from its beginning", "seen: a start from the log, the checkpoint is damaged"),
    ("failed to save snapshot", "seen: a checkpoint fails"),
    ("purged", "seen: a segment is forgotten"),
    ("sending snapshot", "seen: a member needs a checkpoint of its leader's"),
    ("snapshot needed", "seen: a member needs a checkpoint that there is none of"),
    ("sent database snapshot", "seen: a checkpoint is sent"),
    ("failed to send database snapshot", "seen: a checkpoint does not get there"),
    ("failed to save incoming database snapshot", "seen: a checkpoint breaks off on its way"),
    ("restored snapshot", "seen: a log begins anew behind a leader's checkpoint"),
    ("applied snapshot", "seen: a state jumps to a leader's checkpoint"),
    ("the log ends before the commit index", "rare: a log ends before what was committed"),
];

/// The same for what follows `reason=`.
const REASONS: [(&str, &str); 2] = [
    ("only a leader knows the read index", "seen: a read is asked of a member that does not lead"),
    ("its proposal was dropped", "seen: a forwarded proposal is dropped"),
];

pub fn noted(line: &str, world: &mut World) {
    let Some((_, text)) = line.split_once(' ') else { return };
    if let Some((_, reason)) =
        text.strip_prefix("message refused").and_then(|rest| rest.split_once("reason="))
    {
        world.count("seen: a message is refused");
        if let Some((_, what)) = REASONS.iter().find(|(known, _)| reason == *known) {
            world.count(what);
        }
    } else if let Some(rest) = text.strip_prefix("leader changed leader=") {
        let nobody = rest.starts_with("0 ") || rest.starts_with("0000000000000000 ");
        world.count(if nobody { "seen: a member loses its leader" } else { "seen: a member finds a leader" });
    } else if let Some((_, what)) = NOTES.iter().find(|(known, _)| text.starts_with(known)) {
        world.count(what);
    }
}
