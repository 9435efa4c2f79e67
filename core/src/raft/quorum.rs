//! What a majority says, and what two majorities say together while the membership changes.
use super::membership::Membership;
use crate::MemberId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Won,
    Lost,
    Open,
}

impl Membership {
    /// The highest value that a quorum has reached; with two sets of voters both must have. Nobody to ask means
    /// nothing was reached.
    pub fn reached(&self, value: impl Fn(MemberId) -> u64) -> u64 {
        let incoming = majority_reached(&self.voters, &value);
        if self.is_joint() { incoming.min(majority_reached(&self.voters_outgoing, &value)) } else { incoming }
    }

    /// How an election stands. Each voter counts once, whatever came from it first; others do not count.
    pub fn tally(&self, vote: impl Fn(MemberId) -> Option<bool>) -> Verdict {
        let incoming = majority_tally(&self.voters, &vote);
        if !self.is_joint() {
            return incoming;
        }
        match (incoming, majority_tally(&self.voters_outgoing, &vote)) {
            (Verdict::Won, Verdict::Won) => Verdict::Won,
            (Verdict::Lost, _) | (_, Verdict::Lost) => Verdict::Lost,
            _ => Verdict::Open,
        }
    }

    /// Whether a quorum satisfies `holds`.
    pub fn has_quorum(&self, holds: impl Fn(MemberId) -> bool) -> bool {
        self.tally(|member| Some(holds(member))) == Verdict::Won
    }
}

/// The largest value that more than half of the voters have reached. Looks at each pair instead of sorting: the sets
/// are tiny, and nothing is allocated.
fn majority_reached(voters: &[MemberId], value: &impl Fn(MemberId) -> u64) -> u64 {
    let mut best = 0;
    for candidate in voters.iter().map(|voter| value(*voter)) {
        if candidate > best {
            let reached = voters.iter().filter(|voter| value(**voter) >= candidate).count();
            if reached > voters.len() / 2 {
                best = candidate;
            }
        }
    }
    best
}

fn majority_tally(voters: &[MemberId], vote: &impl Fn(MemberId) -> Option<bool>) -> Verdict {
    let needed = voters.len() / 2 + 1;
    let (mut yes, mut no) = (0, 0);
    for voter in voters {
        match vote(*voter) {
            Some(true) => yes += 1,
            Some(false) => no += 1,
            None => {}
        }
    }
    if yes >= needed {
        Verdict::Won
    } else if no + needed > voters.len() {
        Verdict::Lost
    } else {
        Verdict::Open
    }
}
