//! A clean run must have done work: what each judge had to judge, and which judges saw next to nothing although the
//! plan meant them to see something.

/// What the judges of one run have judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Answered requests that were compared with the model, and those of them that wrote.
    pub answers: u64,
    pub writes: u64,
    /// Revisions that several members showed.
    pub revisions_compared: u64,
    /// Watches that were opened, and events that were compared.
    pub watches: u64,
    pub watch_events: u64,
    /// Grants and renewals that bind, and leases whose end was seen.
    pub lease_promises: u64,
    pub lease_ends: u64,
    /// Writes that were compared with whose turn it was.
    pub guarded_writes: u64,
    /// Turns that a member's service has granted.
    pub turns_granted: u64,
    /// Answers that were compared with what the user may do.
    pub permits: u64,
    /// Lists of members that were compared with the log.
    pub lists: u64,
    pub queue_looks: u64,
}

/// Which judges a plan gives work to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    pub several_members: bool,
    pub watches: bool,
    pub leases: bool,
    pub turns: bool,
    pub users: bool,
    pub reforms: bool,
}

impl Work {
    /// The counts, under the names by which a summary shows them.
    pub fn lines(&self) -> [(&'static str, u64); 12] {
        [
            ("judged: answers", self.answers),
            ("judged: writes", self.writes),
            ("judged: revisions of two members", self.revisions_compared),
            ("judged: watches", self.watches),
            ("judged: watch events", self.watch_events),
            ("judged: lease promises", self.lease_promises),
            ("judged: ends of leases", self.lease_ends),
            ("judged: guarded writes", self.guarded_writes),
            ("judged: turns granted by services", self.turns_granted),
            ("judged: permissions", self.permits),
            ("judged: lists of members", self.lists),
            ("judged: looks at queues", self.queue_looks),
        ]
    }

    /// Which judges saw next to nothing, under the names by which a summary counts them.
    pub fn idle(&self, expected: &Expected) -> Vec<&'static str> {
        let asked = [
            (true, self.writes >= 10, "idle: linearizability"),
            (true, self.queue_looks >= 5, "idle: bounded-queues"),
            (expected.several_members, self.revisions_compared >= 10, "idle: same-state"),
            (expected.watches, self.watches >= 1, "idle: watch"),
            (expected.leases, self.lease_promises >= 1, "idle: leases"),
            (expected.turns, self.guarded_writes >= 1, "idle: fencing"),
            (expected.users, self.permits >= 1, "idle: auth"),
            (expected.reforms, self.lists >= 10, "idle: membership"),
        ];
        asked.into_iter().filter(|(expected, busy, _)| *expected && !busy).map(|(.., name)| name).collect()
    }
}
