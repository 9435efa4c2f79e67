//! A member makes its name and client URLs known through the log, once after every start.
use super::{Replica, proposals::Waiter};
use crate::Moment;
use alloc::boxed::Box;
use detcd_proto::{
    etcdserverpb::InternalRaftRequest,
    membershippb::{Attributes, ClusterMemberAttrSetRequest},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publish {
    Wanted,
    /// On its way through the log.
    Proposed,
    /// The last attempt failed; the next is due then.
    Later(Moment),
    Done,
}

impl Publish {
    pub fn due(&self) -> Option<Moment> {
        match self {
            Publish::Later(at) => Some(*at),
            Publish::Wanted | Publish::Proposed | Publish::Done => None,
        }
    }
}

impl Replica {
    pub(super) fn publish_if_due(&mut self, now: Moment) {
        match self.publish {
            Publish::Wanted => {}
            Publish::Later(at) if at <= now => {}
            Publish::Later(_) | Publish::Proposed | Publish::Done => return,
        }
        let me = &self.config.me;
        let attributes = Attributes { name: me.name.clone(), client_urls: me.client_urls.clone() };
        let request = ClusterMemberAttrSetRequest { member_id: me.id.0, member_attributes: Some(attributes) };
        let cluster_member_attr_set = Some(Box::new(request));
        let request = Box::new(InternalRaftRequest { cluster_member_attr_set, ..Default::default() });
        self.publish = Publish::Proposed;
        if self.propose(now, Waiter::Publish, request).is_err() {
            self.publish_later(now);
        }
    }

    pub(super) fn publish_later(&mut self, now: Moment) {
        self.publish = Publish::Later(now + self.config.election_timeout);
    }

    pub(super) fn published(&mut self) {
        self.publish = Publish::Done;
        self.is_dirty = true;
    }
}
