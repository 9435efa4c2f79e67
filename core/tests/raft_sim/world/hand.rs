//! The hand that asks, cuts and crashes.
use super::{Event, Profile, World};
use bytes::Bytes;
use detcd_core::raft::RoleKind;
use detcd_core::{MemberId, Span};
use detcd_proto::Message as _;
use detcd_proto::raftpb::{ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, EntryType};

impl World {
    /// Answers whether it was taken, which promises nothing.
    pub(super) fn propose(&mut self) -> Result<bool, String> {
        let Some(member) = self.someone_alive() else { return Ok(false) };
        let changes = self.profile == Profile::Changing && !self.healed && self.rng.below(20) == 0;
        let (kind, data) = if changes {
            (EntryType::EntryConfChangeV2, self.some_change().encode_to_vec())
        } else {
            self.payloads += 1;
            let mut data = self.payloads.to_be_bytes().to_vec();
            data.resize(8 + self.rng.below(100) as usize, 0);
            (EntryType::EntryNormal, data)
        };
        let member = if self.healed { self.leader().unwrap_or(member) } else { member };
        let mut taken = false;
        self.turn(member, |raft, now| taken = raft.propose(now, kind, Bytes::from(data)).is_ok())?;
        Ok(taken)
    }

    fn some_change(&mut self) -> ConfChangeV2 {
        use ConfChangeType::{ConfChangeAddLearnerNode, ConfChangeAddNode, ConfChangeRemoveNode};
        let how_many = if self.rng.below(2) == 0 { 1 } else { 1 + self.rng.below(4) };
        let explicit = self.rng.below(8) == 0;
        if self.rng.below(6) == 0 {
            return ConfChangeV2::default();
        }
        let changes = (0..how_many).map(|_| {
            let kinds =
                [ConfChangeAddNode, ConfChangeAddNode, ConfChangeAddLearnerNode, ConfChangeRemoveNode];
            let kind = kinds[self.rng.below(4) as usize];
            ConfChangeSingle { r#type: kind as i32, node_id: 1 + self.rng.below(self.nodes.len() as u64) }
        });
        let changes = changes.collect();
        let transition =
            if explicit { ConfChangeTransition::JointExplicit } else { ConfChangeTransition::Auto };
        ConfChangeV2 { transition: transition as i32, changes, context: None }
    }

    pub(super) fn fault(&mut self) -> Result<(), String> {
        let members = self.nodes.len() as u64;
        let one = 1 + self.rng.below(members);
        match self.rng.below(10) {
            0..4 => {
                self.crash(one);
                let pause = self.span(Span::millis(1500));
                self.after(pause, Event::Start { member: one });
            }
            4 => {
                // Everybody at once.
                for member in 1..=members {
                    self.crash(member);
                    let pause = self.span(Span::millis(500));
                    self.after(pause, Event::Start { member });
                }
            }
            5..8 => {
                let side = self.rng.u64();
                let one_way = self.rng.below(3) == 0;
                let mut cuts = Vec::new();
                for from in 1..=members {
                    for to in 1..=members {
                        let (a, b) = (side >> from & 1, side >> to & 1);
                        if a != b && (!one_way || a == 0) {
                            cuts.push((from, to));
                        }
                    }
                }
                self.cuts.extend(cuts.iter().copied());
                self.deeds.cuts += 1;
                let time = self.span(Span::millis(3000));
                self.after(time, Event::Mend { cuts });
            }
            8 => {
                // The leader alone on its side.
                if let Some(leader) = self.leader() {
                    let others = (1..=members).filter(|member| *member != leader);
                    let cuts: Vec<_> = others.flat_map(|other| [(leader, other), (other, leader)]).collect();
                    self.cuts.extend(cuts.iter().copied());
                    self.deeds.cuts += 1;
                    let time = self.span(Span::millis(2000));
                    self.after(time, Event::Mend { cuts });
                }
            }
            _ => {
                if let Some(leader) = self.leader() {
                    self.deeds.transfers += 1;
                    let to = if self.rng.below(3) == 0 { None } else { Some(MemberId(one)) };
                    self.turn(leader, |raft, now| {
                        // Not everybody can be given the lead.
                        let _ = raft.transfer(now, to);
                    })?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn someone_alive(&mut self) -> Option<u64> {
        let alive: Vec<u64> =
            self.nodes.iter().filter(|(_, node)| node.raft.is_some()).map(|(member, _)| *member).collect();
        // Mostly where it works.
        let leader = alive.iter().copied().find(|member| {
            self.nodes[member].raft.as_ref().is_some_and(|raft| raft.role() == RoleKind::Leader)
        });
        if self.rng.below(2) == 0 && leader.is_some() {
            return leader;
        }
        alive.get(self.rng.below(alive.len() as u64) as usize).copied()
    }
}
