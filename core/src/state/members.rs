//! The members of the cluster, as the log made them. Source: contract-semantics 12.
use super::member_json;
use crate::{Member, MemberId, Plant, Plants, Refusal};
use alloc::{collections::BTreeSet, string::String, sync::Arc, vec::Vec};
use detcd_proto::{membershippb::Attributes, raftpb};

/// Ascending by id; shared with the views.
#[derive(Clone, Debug, Default)]
pub struct Members {
    members: Arc<Vec<Member>>,
    /// A removed member's id never comes back.
    removed: Arc<BTreeSet<MemberId>>,
    plants: Plants,
    /// Only with a planted bug: the log is being read back, and what it says of promotions is overlooked.
    pub overlooks_promotions: bool,
}

impl Members {
    /// `members` ascending by id, none of them removed.
    pub fn new(members: Arc<Vec<Member>>, removed: Arc<BTreeSet<MemberId>>, plants: Plants) -> Members {
        Members { members, removed, plants, overlooks_promotions: false }
    }

    pub fn shared(&self) -> Arc<Vec<Member>> {
        self.members.clone()
    }

    pub fn get(&self, id: MemberId) -> Option<&Member> {
        self.place(id).ok().map(|place| &self.members[place])
    }

    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    pub fn others(&self, me: MemberId) -> Vec<Member> {
        self.members.iter().filter(|member| member.id != me).cloned().collect()
    }

    pub fn removed(&self) -> Arc<BTreeSet<MemberId>> {
        self.removed.clone()
    }

    pub fn is_removed(&self, id: MemberId) -> bool {
        self.removed.contains(&id)
    }

    pub fn voters(&self) -> usize {
        self.members.iter().filter(|member| !member.is_learner).count()
    }

    /// Carries a membership change out, or says why it may not be. Raft must then be told that nothing changed.
    pub fn change(&mut self, change: &raftpb::ConfChange) -> Result<(), Refusal> {
        use raftpb::ConfChangeType::{
            ConfChangeAddLearnerNode, ConfChangeAddNode, ConfChangeRemoveNode, ConfChangeUpdateNode,
        };
        let id = MemberId(change.node_id);
        if self.removed.contains(&id) {
            return Err(Refusal::MemberNotFound);
        }
        let described = || {
            let context = change.context.as_deref().unwrap_or_default();
            // A change that does not say whom it is about cannot have come from a member.
            member_json::decode(context)
                .filter(|described| described.member.id == id)
                .ok_or(Refusal::MemberNotFound)
        };
        match raftpb::ConfChangeType::try_from(change.r#type) {
            Ok(ConfChangeAddNode) => {
                let described = described()?;
                if described.is_promote { self.promote(id) } else { self.add(described.member, false) }
            }
            Ok(ConfChangeAddLearnerNode) => self.add(described()?.member, true),
            Ok(ConfChangeUpdateNode) => {
                let urls = described()?.member.peer_urls;
                self.place(id).map_err(|_| Refusal::MemberNotFound)?;
                if self.members.iter().any(|other| other.id != id && shares_url(other, &urls)) {
                    return Err(Refusal::PeerURLExist);
                }
                let forgets = self.plants.has(Plant::MemberupdatePromotes);
                let member = self.get_mut(id)?;
                member.peer_urls = urls;
                member.is_learner &= !forgets;
                Ok(())
            }
            Ok(ConfChangeRemoveNode) => {
                let place = self.place(id).map_err(|_| Refusal::MemberNotFound)?;
                Arc::make_mut(&mut self.members).remove(place);
                Arc::make_mut(&mut self.removed).insert(id);
                Ok(())
            }
            Err(_) => Err(Refusal::NotBuilt("a membership change of this kind")),
        }
    }

    /// A member tells its name and client URLs. Nothing happens if it has been removed meanwhile.
    pub fn publish(&mut self, id: MemberId, attributes: Attributes) -> Option<&Member> {
        let place = self.place(id).ok()?;
        let member = &mut Arc::make_mut(&mut self.members)[place];
        member.name = attributes.name;
        member.client_urls = attributes.client_urls;
        Some(member)
    }

    fn add(&mut self, member: Member, is_learner: bool) -> Result<(), Refusal> {
        let Err(place) = self.place(member.id) else { return Err(Refusal::MemberExist) };
        if self.members.iter().any(|other| shares_url(other, &member.peer_urls)) {
            return Err(Refusal::PeerURLExist);
        }
        Arc::make_mut(&mut self.members).insert(place, Member { is_learner, ..member });
        Ok(())
    }

    fn promote(&mut self, id: MemberId) -> Result<(), Refusal> {
        let overlooked = self.overlooks_promotions && self.plants.has(Plant::PromotionNotPersisted);
        let member = self.get_mut(id)?;
        if !member.is_learner {
            return Err(Refusal::MemberNotLearner);
        }
        member.is_learner = overlooked;
        Ok(())
    }

    fn get_mut(&mut self, id: MemberId) -> Result<&mut Member, Refusal> {
        let place = self.place(id).map_err(|_| Refusal::MemberNotFound)?;
        Ok(&mut Arc::make_mut(&mut self.members)[place])
    }

    fn place(&self, id: MemberId) -> Result<usize, usize> {
        self.members.binary_search_by_key(&id, |member| member.id)
    }
}

/// Whether one of the URLs is the member's.
pub fn shares_url(member: &Member, urls: &[String]) -> bool {
    member.peer_urls.iter().any(|url| urls.contains(url))
}

#[cfg(test)]
#[path = "members_tests.rs"]
mod tests;
