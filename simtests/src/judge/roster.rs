//! Who is a member, by the log: the list is a function of the applied index, the same on every member. A model beside the
//! code: it reads the committed changes and carries them out by the rules of contract-semantics 12 in its own way.
use detcd_core::{Member, MemberId, state::member_json};
use detcd_proto::{
    Message as _,
    raftpb::{ConfChange, ConfChangeType},
};
use detcd_runtime_sim::Slot;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

/// What a list says of one member, apart from what it publishes of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: MemberId,
    pub peer_urls: Vec<String>,
    pub is_learner: bool,
}

type List = Arc<Vec<Listed>>;

#[derive(Clone, Default)]
pub struct Roster(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// The list from this index on, ascending by id.
    lists: BTreeMap<u64, List>,
    removed: BTreeSet<MemberId>,
    /// The committed entries up to here have been read.
    read: u64,
    compared: u64,
}

impl Roster {
    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The entry at this index is committed; `change`: it changes the members. In order.
    pub fn committed(&self, index: u64, change: Option<&[u8]>) {
        self.with(|inner| {
            inner.read = index;
            let change = change.and_then(|bytes| ConfChange::decode(bytes).ok());
            if let Some(change) = change.filter(|change| change.node_id != 0) {
                let mut list = inner.newest().to_vec();
                if apply(&mut list, &mut inner.removed, &change) {
                    inner.lists.insert(index, Arc::new(list));
                }
            }
        });
    }

    /// The members as far as the committed entries are known.
    pub fn newest(&self) -> List {
        self.with(|inner| inner.newest())
    }

    /// Who voted when the entry at this index was committed: by all changes before it, and without the last of them,
    /// which whoever committed it need not have applied yet.
    pub fn voters_of(&self, index: u64) -> [Vec<MemberId>; 2] {
        self.with(|inner| {
            let mut lists = inner.lists.range(..index).rev().map(|(_, list)| list.clone());
            let now = lists.next().unwrap_or_default();
            let before = lists.next().unwrap_or_else(|| now.clone());
            let voters = |list: &List| {
                list.iter().filter(|member| !member.is_learner).map(|member| member.id).collect()
            };
            [voters(&now), voters(&before)]
        })
    }

    /// Compares what a member shows with what the log says. Answers what is wrong, if anything is.
    pub fn look(&self, slot: Slot, applied: u64, members: &[Member]) -> Option<String> {
        self.with(|inner| {
            if applied > inner.read {
                return None;
            }
            let expected = inner.lists.range(..=applied).next_back().map(|(_, list)| list.clone());
            let expected = expected.unwrap_or_default();
            let shown: Vec<Listed> = members
                .iter()
                .map(|member| Listed {
                    id: member.id,
                    peer_urls: member.peer_urls.clone(),
                    is_learner: member.is_learner,
                })
                .collect();
            inner.compared += 1;
            (shown != *expected).then(|| {
                format!(
                    "m{} lists after {applied} entries{}, and the log says{}",
                    slot + 1,
                    told(&shown),
                    told(&expected)
                )
            })
        })
    }

    /// How often a list was compared.
    pub fn compared(&self) -> u64 {
        self.with(|inner| inner.compared)
    }
}

impl Inner {
    fn newest(&self) -> List {
        self.lists.values().next_back().cloned().unwrap_or_default()
    }
}

/// False: nothing comes of it.
fn apply(list: &mut Vec<Listed>, removed: &mut BTreeSet<MemberId>, change: &ConfChange) -> bool {
    let id = MemberId(change.node_id);
    if removed.contains(&id) {
        return false;
    }
    let described = member_json::decode(change.context.as_deref().unwrap_or_default());
    let place = list.iter().position(|member| member.id == id);
    let taken = |list: &[Listed], urls: &[String]| {
        list.iter().any(|member| member.id != id && member.peer_urls.iter().any(|url| urls.contains(url)))
    };
    let kind = ConfChangeType::try_from(change.r#type);
    match (kind, place, described) {
        (Ok(ConfChangeType::ConfChangeRemoveNode), Some(place), _) => {
            list.remove(place);
            removed.insert(id);
        }
        (Ok(ConfChangeType::ConfChangeUpdateNode), Some(place), Some(described)) => {
            if taken(list, &described.member.peer_urls) {
                return false;
            }
            list[place].peer_urls = described.member.peer_urls;
        }
        (Ok(ConfChangeType::ConfChangeAddNode), Some(place), Some(described)) if described.is_promote => {
            return std::mem::replace(&mut list[place].is_learner, false);
        }
        (
            Ok(ConfChangeType::ConfChangeAddNode | ConfChangeType::ConfChangeAddLearnerNode),
            None,
            Some(described),
        ) if !described.is_promote => {
            if taken(list, &described.member.peer_urls) {
                return false;
            }
            let is_learner = kind == Ok(ConfChangeType::ConfChangeAddLearnerNode);
            list.push(Listed { id, peer_urls: described.member.peer_urls, is_learner });
            list.sort_by_key(|member| member.id);
        }
        _ => return false,
    }
    true
}

fn told(list: &[Listed]) -> String {
    let mut text = String::new();
    for Listed { id, peer_urls, is_learner } in list {
        let role = if *is_learner { " (learner)" } else { "" };
        write!(text, " {id}{role} at {}", peer_urls.join(",")).expect("a String takes everything");
    }
    text
}
