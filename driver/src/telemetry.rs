//! Tells the operator what the core found worth telling.
use crate::{Level, Runtime, meters::Meters};
use detcd_core::Note;

pub fn tell<R: Runtime>(rt: &R, meters: &Meters, note: &Note) {
    if let Note::LeaderChanged { leader: Some(_), .. } = note {
        meters.leader_changes.add(1);
    }
    rt.log(level(note), format_args!("{note}"));
}

fn level(note: &Note) -> Level {
    match note {
        Note::Booted { .. }
        | Note::BecameFollower { .. }
        | Note::BecamePreCandidate { .. }
        | Note::BecameCandidate { .. }
        | Note::BecameLeader { .. }
        | Note::LeaderChanged { .. }
        | Note::CheckpointTaken { .. }
        | Note::CheckpointSaved { .. }
        | Note::TransferStarted { .. }
        | Note::MembershipChanged { .. }
        | Note::MemberApplied { .. }
        | Note::MemberAdded(_)
        | Note::MemberRemoved(_)
        | Note::MemberUpdated(_)
        | Note::MemberPromoted(_)
        | Note::LogTailFound { .. }
        | Note::SnapshotSending { .. }
        | Note::SnapshotApplying { .. }
        | Note::SnapshotApplied { .. }
        | Note::SnapshotRestored { .. }
        | Note::ClusterVersion { .. } => Level::Info,
        Note::QuorumLost { .. }
        | Note::Expelled { .. }
        | Note::DiskStuck { .. }
        | Note::TransferAborted { .. }
        | Note::AlarmRaised { .. }
        | Note::AlarmCleared { .. }
        | Note::SnapshotNeeded { .. }
        | Note::MessageRefused { .. } => Level::Warn,
        Note::LogTailLost { .. } => Level::Error,
        Note::LogCompacted { .. } | Note::LeaseExpired { .. } => Level::Debug,
    }
}
