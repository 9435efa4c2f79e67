//! Durability: what members tell each other and their clients is on disk before they tell it, and what a majority has
//! on disk stays. Source: Raft, section 5.3 to 5.4 and figure 2 ("updated on stable storage before responding").
use super::mirror::{FOLDER, Log, Mark, Record, records};
use crate::judge::Roster;
use bytes::Bytes;
use detcd_core::MemberId;
use detcd_proto::raftpb::{HardState, Message, MessageType};
use detcd_runtime_sim::{Happening, Observer, Slot, World};
use std::collections::BTreeMap;

/// Watches every member's disk and every message.
pub struct Durability {
    members: Vec<Member>,
    /// What is known to be committed, from index 1.
    ledger: Vec<Mark>,
    /// In which term each of them was first said to be committed.
    terms: Vec<u64>,
    /// What committed entries change of the members, and who votes by them; without it everybody does.
    roster: Option<Roster>,
    /// Entries that change the members, as they were appended anywhere.
    changes: BTreeMap<(u64, Mark), Bytes>,
    /// Entries that a new cluster begins with, the same on all and committed by decree.
    decreed: u64,
    /// Also report broken causes, not only broken consequences.
    causes: bool,
}

#[derive(Default)]
struct Member {
    /// As appended, synced or not.
    written: Log,
    durable: Log,
    /// Appended to a named segment and not synced.
    pending: Vec<Record>,
    /// Appended to a segment that has no durable name yet.
    draft: Vec<Record>,
    /// It has booted again, and its disk has not been read since.
    stale: bool,
    /// Its log cannot be read; it will say so itself.
    blind: bool,
    /// The newest term of a leader that it heard in this life, or that its disk knows.
    follows: u64,
    /// Up to here its log was compared with the ledger.
    compared: u64,
}

impl Durability {
    pub fn new(members: usize, causes: bool) -> Durability {
        let decreed = members as u64;
        let members: Vec<Member> = (0..members).map(|_| Member::default()).collect();
        let (ledger, terms, changes) = (Vec::new(), Vec::new(), BTreeMap::new());
        Durability { members, ledger, terms, roster: None, changes, decreed, causes }
    }

    /// For members that change: the first `decreed` of these places hold the founders.
    pub fn of_changing(roster: Roster, decreed: usize, places: usize, causes: bool) -> Durability {
        let durability = Durability::new(places, causes);
        Durability { roster: Some(roster), decreed: decreed as u64, ..durability }
    }

    /// The places of those who vote for this entry, by one configuration or the one before.
    fn electorates(&self, index: u64, world: &World) -> Vec<Vec<Slot>> {
        let everybody = (0..self.members.len()).collect();
        let Some(roster) = self.roster.as_ref().filter(|_| index > self.decreed) else {
            let founders = (0..self.members.len()).filter(|&slot| (slot as u64) < self.decreed).collect();
            return vec![if self.roster.is_some() { founders } else { everybody }];
        };
        let place = |id: &MemberId| (0..self.members.len()).find(|&slot| world.id_of(slot) == *id);
        // A voter whose place holds another by now counts as one that has nothing.
        let places =
            |voters: Vec<MemberId>| voters.iter().map(|id| place(id).unwrap_or(usize::MAX)).collect();
        roster.voters_of(index).into_iter().map(places).collect()
    }

    /// What a majority of some electorate has on disk at this index.
    fn agreed(&self, index: u64, world: &World) -> Option<Mark> {
        self.electorates(index, world).into_iter().find_map(|voters| {
            let at = |slot: &Slot| self.members.get(*slot).and_then(|member| member.durable.at(index));
            let marks: Vec<Mark> = voters.iter().filter_map(at).collect();
            let majority = voters.len() / 2 + 1;
            let is_agreed = |mark: &&Mark| marks.iter().filter(|other| other == mark).count() >= majority;
            marks.iter().find(is_agreed).copied()
        })
    }

    /// One more entry is known to be committed.
    fn record(&mut self, mark: Mark, term: u64) {
        self.ledger.push(mark);
        self.terms.push(term);
        let index = self.ledger.len() as u64;
        if let Some(roster) = &self.roster {
            roster.committed(index, self.changes.get(&(index, mark)).map(|change| &change[..]));
        }
    }

    fn note_changes(&mut self, records: &[Record]) {
        for record in records {
            if let Record::Entry { index, mark, change: Some(change) } = record {
                self.changes.insert((*index, *mark), change.clone());
            }
        }
    }

    fn sending(&self, from: Slot, message: &Message, world: &mut World) {
        let member = &self.members[from];
        if message.reject || member.blind || !self.causes {
            return;
        }
        let who = from + 1;
        match MessageType::try_from(message.r#type) {
            Ok(MessageType::MsgVoteResp) => {
                let state = member.durable.state;
                if (state.term, state.vote) != (message.term, message.to) {
                    let text = format!(
                        "m{who} votes for {:x} in term {}, and its disk says: term {}, vote {:x}",
                        message.to, message.term, state.term, state.vote
                    );
                    world.trouble("vote-durable", text);
                }
            }
            Ok(MessageType::MsgAppResp) => {
                let (acked, durable) = (message.index, member.durable.last_index());
                // What is committed is safe elsewhere, so whoever says that it has it promises nothing.
                if acked > durable && acked > self.ledger.len() as u64 {
                    let text = format!(
                        "m{who} acknowledges entries up to {acked}, and its disk has them up to {durable}"
                    );
                    world.trouble("acknowledgement-durable", text);
                }
            }
            _ => {}
        }
    }

    /// Somebody says or shows that everything up to `commit` is committed.
    fn committed(&mut self, by: Slot, commit: u64, term: u64, world: &mut World) {
        // A new cluster begins with an entry per member, the same on all and committed by decree.
        if commit <= self.decreed {
            return;
        }
        while (self.ledger.len() as u64) < commit {
            let index = self.ledger.len() as u64 + 1;
            match self.agreed(index, world) {
                Some(mark) => self.record(mark, term),
                None if self.members.iter().any(|member| member.blind) => return,
                None => {
                    if self.causes {
                        let text = format!(
                            "m{} takes {commit} for committed, and entry {index} is on {} of {} disks",
                            by + 1,
                            self.members.iter().filter(|member| member.durable.at(index).is_some()).count(),
                            self.members.len()
                        );
                        world.trouble("committed-durable", text);
                    }
                    return;
                }
            }
        }
    }

    fn append(&mut self, slot: Slot, record: &Record, world: &mut World) {
        let who = slot + 1;
        let member = &mut self.members[slot];
        if member.blind {
            // It read its log before the damage. What is known of it here is from the life before.
            return;
        }
        match record {
            Record::Entry { index, mark, .. } => {
                let place = *index as usize - 1;
                let committed = self.ledger.get(place);
                let had = member.durable.at(*index);
                // A leader of a term before may still overwrite what others committed since: that one does not know it,
                // and the quorum did not need this member. Leaders of that term and later have the entry. Raft 5.4.3.
                let knows = self.terms.get(place).is_some_and(|&term| member.follows >= term);
                if knows && committed.is_some() && had.as_ref() == committed && Some(mark) != committed {
                    let text = format!("m{who} overwrites entry {index}, which is committed");
                    world.trouble("committed-stays", text);
                }
                if *index > member.written.last_index() + 1 {
                    let last = member.written.last_index();
                    world.trouble("log-contiguous", format!("m{who} appends entry {index} behind {last}"));
                }
                member.compared = member.compared.min(index - 1);
            }
            Record::State(state) => {
                if let Some(text) = state_fault(&member.written.state, state) {
                    world.trouble("hard-state", format!("m{who} {text}"));
                }
            }
            Record::Checkpoint { index, term } if member.written.conflicts(*index, *term) => {
                let (index, follows) = (*index, member.follows);
                self.committed(slot, index, follows, world);
                let member = &mut self.members[slot];
                match self.ledger.get(..index as usize) {
                    Some(agreed) => member.written.entries = agreed.to_vec(),
                    None => member.blind = true,
                }
                member.compared = 0;
            }
            Record::Checkpoint { .. } => {}
        }
        let member = &mut self.members[slot];
        member.written.take(record);
        if let Record::State(state) = record {
            let (commit, term) = (state.commit, state.term);
            member.follows = member.follows.max(term);
            self.committed(slot, commit, term, world);
            self.compare(slot, commit, world);
        }
    }

    /// Whatever a member holds for committed is the same entry that everybody else has there.
    fn compare(&mut self, slot: Slot, commit: u64, world: &mut World) {
        let member = &mut self.members[slot];
        let upto = commit.min(self.ledger.len() as u64).min(member.written.last_index());
        while member.compared < upto {
            let index = member.compared + 1;
            let (has, agreed) = (member.written.at(index), self.ledger.get(index as usize - 1).copied());
            if has != agreed {
                let told =
                    |mark: Option<Mark>| mark.map_or_else(|| "nothing".to_owned(), |mark| mark.to_string());
                let text = format!(
                    "m{} holds for committed at index {index} {}, others have {}",
                    slot + 1,
                    told(has),
                    told(agreed)
                );
                world.trouble("same-entry", text);
            }
            member.compared = index;
        }
    }

    /// After a boot: what does the disk say? Asked when the names of the segments are durable too, which recovery sees
    /// to, or when the first record of a new log is written.
    fn refresh(&mut self, slot: Slot, world: &mut World) {
        let member = &mut self.members[slot];
        if !std::mem::take(&mut member.stale) {
            return;
        }
        let Some(log) = Log::durable(world.disk(slot), &member.durable, &self.ledger) else {
            member.blind = true;
            return;
        };
        member.blind = false;
        let who = slot + 1;
        for (i, committed) in self.ledger.iter().enumerate() {
            let index = i as u64 + 1;
            if member.durable.at(index) == Some(*committed) && log.at(index) != Some(*committed) {
                let text =
                    format!("m{who} had the committed entry {index} on disk, and after its boot it is gone");
                world.trouble("recovery", text);
                break;
            }
        }
        if let Some(text) = state_fault(&member.durable.state, &log.state) {
            world.trouble("recovery", format!("m{who} {text} after a boot"));
        }
        member.follows = log.state.term;
        member.written = log.clone();
        member.durable = log;
        member.compared = 0;
    }

    fn harden(&mut self, slot: Slot, records: Vec<Record>) {
        let member = &mut self.members[slot];
        for record in &records {
            if let Record::Checkpoint { index, term } = *record
                && member.durable.conflicts(index, term)
                && let Some(agreed) = self.ledger.get(..index as usize)
            {
                member.durable.entries = agreed.to_vec();
            }
            member.durable.take(record);
        }
    }
}

/// What a later hard state must not do to an earlier one.
fn state_fault(before: &HardState, after: &HardState) -> Option<String> {
    let told = |state: &HardState| {
        let vote = if state.vote == 0 { "nobody".to_owned() } else { format!("{:x}", state.vote) };
        format!("term {}, vote for {vote}, commit {}", state.term, state.commit)
    };
    let text = |what: &str| format!("{what}: it was at {}, and now it is at {}", told(before), told(after));
    if after.term < before.term {
        Some(text("goes back in terms"))
    } else if after.term == before.term && before.vote != 0 && after.vote != before.vote {
        Some(text("changes its vote"))
    } else if after.commit < before.commit {
        Some(text("takes a commit back"))
    } else {
        None
    }
}

impl Observer for Durability {
    fn happened(&mut self, what: &Happening<'_>, world: &mut World) {
        match *what {
            Happening::Sending { from, message, .. } => {
                if matches!(
                    MessageType::try_from(message.r#type),
                    Ok(MessageType::MsgApp | MessageType::MsgHeartbeat)
                ) {
                    self.committed(from, message.commit, message.term, world);
                }
                self.sending(from, message, world);
            }
            Happening::Appending { member, name, bytes } if name.starts_with(FOLDER) => {
                self.refresh(member, world);
                let records = records(bytes);
                self.note_changes(&records);
                for record in &records {
                    self.append(member, record, world);
                }
                self.members[member].pending.extend(records);
            }
            Happening::Synced { member, name } if name.starts_with(FOLDER) => {
                let records = std::mem::take(&mut self.members[member].pending);
                if name.ends_with(".tmp") {
                    self.members[member].draft.extend(records);
                } else {
                    self.harden(member, records);
                }
            }
            Happening::FolderSynced { member, folder: FOLDER } => {
                self.refresh(member, world);
                let records = std::mem::take(&mut self.members[member].draft);
                self.harden(member, records);
            }
            Happening::Wiped { member } => self.members[member] = Member::default(),
            Happening::Booting { member } => {
                let member = &mut self.members[member];
                member.stale = true;
                member.pending.clear();
                member.draft.clear();
            }
            Happening::Answering { member, applied, .. } | Happening::Looked { member, applied } => {
                let term = self.members[member].follows;
                self.committed(member, applied, term, world);
            }
            Happening::Delivering { to, message, .. }
                if matches!(
                    MessageType::try_from(message.r#type),
                    Ok(MessageType::MsgApp | MessageType::MsgHeartbeat)
                ) =>
            {
                let follows = &mut self.members[to].follows;
                *follows = (*follows).max(message.term);
            }
            _ => {}
        }
    }
}
