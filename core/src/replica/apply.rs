//! What comes out of the log: the state changes, and whoever proposed it here hears what became of it.
use super::{Replica, proposals::Waiter, reads::Reader};
use crate::{
    Effect, Effects, MemberId, Moment, Note, Outcome, Plant, Reply,
    state::{AlarmChange, Applied, Event},
};
use alloc::boxed::Box;
use detcd_proto::{
    etcdserverpb::{
        AlarmMember, AlarmRequest, AlarmType, InternalRaftRequest, ResponseHeader, alarm_request::AlarmAction,
    },
    raftpb::Entry,
};

impl Replica {
    /// Applies what is committed, as much as one turn may.
    pub(super) fn apply_committed(&mut self, now: Moment, effects: &mut Effects) {
        let mut left = self.config.max_apply_bytes;
        self.is_behind = false;
        loop {
            let entries = self.raft.take_committed(left);
            if entries.is_empty() {
                return;
            }
            for entry in &entries {
                left = left.saturating_sub(entry.data.as_ref().map_or(0, |data| data.len()));
                self.apply(now, entry, effects);
            }
            if left == 0 {
                self.is_behind = true;
                return;
            }
        }
    }

    fn apply(&mut self, now: Moment, entry: &Entry, effects: &mut Effects) {
        let skips = self.config.plants.has(Plant::PaginationLosesCommits);
        assert!(skips || entry.index == self.applied + 1, "entries are applied in order and each once");
        assert!(entry.term >= self.applied_term, "terms do not go back");
        let Applied { request, outcome, event } = self.state.apply(entry, &mut self.changes);
        self.applied = entry.index;
        self.applied_term = entry.term;
        self.is_dirty = true;
        if let Some(ticket) = self.reform.changes.resolve(request) {
            self.react(now, request, event, effects);
            return self.reply(ticket, outcome);
        }
        let waiter = self.proposals.resolve(request);
        let parked = match event {
            Event::Compacted { bound, physical: true } => Some(bound),
            _ => None,
        };
        if waiter == Some(Waiter::Expiry) && outcome.is_ok() {
            self.state.tally.leases_expired += 1;
        }
        self.react(now, request, event, effects);
        match (waiter, parked) {
            (Some(Waiter::Client(ticket)), None) => {
                let outcome = self.stamped(outcome);
                self.reply(ticket, outcome);
            }
            (Some(Waiter::Client(ticket)), Some(bound)) => {
                let outcome = self.stamped(outcome);
                self.compactions.push((bound, ticket, outcome));
            }
            (Some(Waiter::Publish), _) => self.published(),
            // Somebody else may lead by now: the leader has to be confirmed anew.
            (Some(Waiter::Renewal { ticket, lease }), _) => {
                self.read_as_leader(now, Reader::KeepAlive { ticket, lease });
            }
            (Some(Waiter::Alarm | Waiter::Expiry | Waiter::Checkpoint) | None, _) => {}
        }
    }

    fn react(&mut self, now: Moment, request: u64, event: Event, effects: &mut Effects) {
        match event {
            Event::None | Event::Compacted { .. } => {}
            Event::TermBegun => {
                if self.raft.is_leader() && self.applied_term == self.raft.term() {
                    // What the lead before it left behind goes first.
                    self.notice_leader(now);
                    // Once a term: a refused membership change leaves an empty entry too, and renews nothing.
                    if self.deadlines.is_none() {
                        self.promote_leases(now);
                    }
                }
                // Whoever leads can answer now.
                self.ask_again(now);
            }
            Event::Membership(change) => {
                self.raft.apply_conf_change_v1(now, &change);
                self.tell_change(&change, effects);
                effects.push(self.peers());
            }
            Event::MembershipRefused(mut change) => {
                for single in &mut change.changes {
                    single.node_id = 0;
                }
                self.raft.apply_conf_change(now, &change);
            }
            Event::Published(id) => {
                if let Some(member) = self.state.members.get(id) {
                    effects.note(Note::MemberApplied { member: id, name: member.name.clone() });
                }
            }
            Event::ClusterVersion(version) => {
                effects.note(Note::ClusterVersion { version: version.as_str().into() });
            }
            Event::Alarm(AlarmChange::Raised(AlarmMember { member_id, alarm })) => {
                effects.note(Note::AlarmRaised { member: MemberId(member_id), alarm });
            }
            Event::Alarm(AlarmChange::Cleared(AlarmMember { member_id, alarm })) => {
                effects.note(Note::AlarmCleared { member: MemberId(member_id), alarm });
            }
            Event::LeaseGranted(id) => self.lease_granted(now, id),
            Event::LeaseRevoked(id) => self.lease_revoked(id),
            // A member forgets its tokens when it ends, so those that it reads back are gone.
            Event::Tokens(_) if self.is_replaying => {}
            Event::Tokens(change) => effects.push(Effect::Tokens(change)),
            Event::LeasesCheckpointed(ids) => self.leases_checkpointed(request, &ids),
            Event::OverQuota { granted } => {
                if let Some(id) = granted {
                    self.lease_granted(now, id);
                }
                self.raise_no_space(now);
            }
        }
    }

    /// This member saw the space run out; the cluster is to know.
    fn raise_no_space(&mut self, now: Moment) {
        let alarm = AlarmMember { member_id: self.config.me.id.0, alarm: AlarmType::Nospace.into() };
        if self.state.alarms.has(&alarm) || self.is_replaying {
            return;
        }
        let AlarmMember { member_id, alarm } = alarm;
        let alarm = Some(AlarmRequest { action: AlarmAction::Activate.into(), member_id, alarm });
        let request = Box::new(InternalRaftRequest { alarm, ..Default::default() });
        // If it does not come through, the next request that finds no space tries again.
        self.propose(now, Waiter::Alarm, request).ok();
    }

    /// The outcome with the rest of its header.
    fn stamped(&self, outcome: Outcome) -> Outcome {
        outcome.map(|mut reply| {
            if let Some(header) = header_of(&mut reply) {
                *header = self.header(header.revision);
            }
            reply
        })
    }
}

fn header_of(reply: &mut Reply) -> Option<&mut ResponseHeader> {
    let header = match reply {
        Reply::Put(response) => &mut response.header,
        Reply::DeleteRange(response) => &mut response.header,
        Reply::Txn(response) => &mut response.header,
        Reply::Compaction(response) => &mut response.header,
        Reply::LeaseGrant(response) => &mut response.header,
        Reply::LeaseRevoke(response) => &mut response.header,
        Reply::Alarm(response) => &mut response.header,
        Reply::KeepAlive(response) => &mut response.header,
        Reply::TimeToLive(response) => &mut response.header,
        Reply::AuthEnable(response) => &mut response.header,
        Reply::AuthDisable(response) => &mut response.header,
        Reply::AuthStatus(response) => &mut response.header,
        Reply::Authenticate(response) => &mut response.header,
        Reply::UserAdd(response) => &mut response.header,
        Reply::UserGet(response) => &mut response.header,
        Reply::UserList(response) => &mut response.header,
        Reply::UserDelete(response) => &mut response.header,
        Reply::UserChangePassword(response) => &mut response.header,
        Reply::UserGrantRole(response) => &mut response.header,
        Reply::UserRevokeRole(response) => &mut response.header,
        Reply::RoleAdd(response) => &mut response.header,
        Reply::RoleGet(response) => &mut response.header,
        Reply::RoleList(response) => &mut response.header,
        Reply::RoleDelete(response) => &mut response.header,
        Reply::RoleGrantPermission(response) => &mut response.header,
        Reply::RoleRevokePermission(response) => &mut response.header,
        Reply::Leases(_) | Reply::Members(_) | Reply::ReadPoint | Reply::Done => return None,
    };
    header.as_mut()
}
