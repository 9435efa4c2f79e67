//! Lives of members: how they begin, stand still and end.
use super::{Chore, HandOver, Life, Serve, Slot, Stop, World};
use crate::{
    clock::Timepiece,
    event::{Event, Happening},
    net::Inbox,
    streams::Doorstep,
};
use detcd_core::MemberId;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// So often no task looks at the clock before it waits for something.
const CLOCK_LOOKS_MAX: u64 = 1_000_000;

impl World {
    /// Starts a member that is not running.
    pub fn start(&mut self, member: Slot) {
        self.chore(Chore::Boot(member));
    }

    /// The process dies. Its effects stop at once, the killing of its tasks follows: code that runs in `Drop` must
    /// not heal the disk.
    pub fn crash(&mut self, member: Slot) {
        if self.end_life(member, false) {
            let World { members, disk_dice, .. } = self;
            members[member].disk.lose_process(disk_dice);
            self.observe(&Happening::Died { member, power: false });
        }
    }

    /// The machine loses power, whether or not the process runs.
    pub fn lose_power(&mut self, member: Slot) {
        self.end_life(member, true);
        let World { members, disk_dice, .. } = self;
        let loss = members[member].disk.lose_power(disk_dice);
        self.record(&Event::PowerLoss {
            member,
            bytes: loss.bytes,
            torn: loss.torn,
            holed: loss.holed,
            names: loss.names,
        });
        self.count_many("disk: unsynced bytes lost", u64::from(loss.bytes > 0));
        self.count_many("disk: torn write", loss.torn);
        self.count_many("disk: sectors reordered", loss.holed);
        self.count_many("disk: truncate forgotten", loss.truncates);
        self.count_many("disk: name lost", loss.names);
        self.count_many("disk: rename lost", loss.renames);
        self.observe(&Happening::Died { member, power: true });
    }

    /// Asks the member to end in good order, as an operator does. It may take long, or for ever.
    pub fn stop(&mut self, member: Slot) {
        let resident = &self.members[member];
        if let (Some(life), Some(stop)) = (resident.life.clone(), resident.stop.clone()) {
            self.record(&Event::Disk { member, what: "stops", name: "" });
            self.chore(Chore::Stop(life, stop));
        }
    }

    /// Asks whoever leads to hand the lead over to this member.
    pub fn hand_over(&mut self, to: Slot) {
        let heir = self.members[to].id;
        for slot in 0..self.members.len() {
            let resident = &self.members[slot];
            if let (Some(life), Some(hand_over)) = (resident.life.clone(), resident.hand_over.clone()) {
                self.chore(Chore::HandOver(life, hand_over, heir));
            }
        }
    }

    /// The member has ended in good order.
    pub(super) fn stopped(&mut self, life: &Life) {
        if self.is_alive(life) {
            self.count("member: stopped in good order");
            self.crash(life.member);
        }
    }

    /// The process stands still; time goes on.
    pub fn pause(&mut self, member: Slot) {
        let resident = &mut self.members[member];
        let Some(life) = &resident.life else { return };
        if !std::mem::replace(&mut resident.paused, true) {
            let life = life.clone();
            self.record(&Event::Paused { member });
            self.chore(Chore::Pause(life));
        }
    }

    pub fn resume(&mut self, member: Slot) {
        let resident = &mut self.members[member];
        let Some(life) = &resident.life else { return };
        if std::mem::replace(&mut resident.paused, false) {
            let life = life.clone();
            self.record(&Event::Resumed { member });
            self.chore(Chore::Resume(life));
        }
    }

    /// The member says that it cannot go on.
    pub(crate) fn halt(&mut self, life: &Life, why: &str) {
        if !self.is_alive(life) {
            return;
        }
        self.record(&Event::Halted { member: life.member, why });
        self.count("member: halted");
        self.observe(&Happening::Halted { member: life.member, why });
        self.crash(life.member);
    }

    pub(crate) fn panicked(&mut self, member: Slot, life: u64, what: &str, place: &str) {
        if self.members[member].lives != life || self.members[member].life.is_none() {
            return;
        }
        self.record(&Event::Panicked { member, what });
        let before = self.troubles.len();
        self.trouble("panic", format!("m{} {what}", member + 1));
        // The place is no part of what happened, and not of the transcript: it moves with every edit of the file.
        if let Some(trouble) = self.troubles.get_mut(before) {
            trouble.text.push_str(place);
        }
        self.crash(member);
    }

    pub(crate) fn is_alive(&self, life: &Life) -> bool {
        life.alive.load(Ordering::Relaxed)
    }

    /// Whether no life of its member began after this one.
    pub(super) fn is_latest(&self, life: &Life) -> bool {
        self.members[life.member].lives == life.number
    }

    /// One poll of a task of this life is about to happen. False: it must not.
    pub(crate) fn spend(&mut self, member: Slot, life: u64) -> bool {
        let resident = &self.members[member];
        if resident.lives != life || resident.life.is_none() {
            return false;
        }
        if self.budget == 0 {
            if !self.over {
                self.over = true;
                self.trouble("event-budget", "more happened than any sane run needs: a storm or a loop");
            }
            return false;
        }
        self.budget -= 1;
        self.clock_looks = 0;
        true
    }

    /// Somebody looks at a clock. True: too often since a task began to run.
    pub(crate) fn looks_at_clock(&mut self) -> bool {
        self.clock_looks += 1;
        self.clock_looks > CLOCK_LOOKS_MAX
    }

    /// What is left of the event budget.
    pub fn budget(&self) -> u64 {
        self.budget
    }

    pub(super) fn may_boot(&self, member: Slot) -> bool {
        let resident = &self.members[member];
        !self.over && !resident.is_buried && !resident.is_kept_down && resident.life.is_none()
    }

    pub(super) fn begin_life(&mut self, member: Slot) -> Arc<Life> {
        let resident = &mut self.members[member];
        resident.lives += 1;
        resident.paused = false;
        resident.inbox = Inbox::default();
        let unread = std::mem::take(&mut resident.doorstep);
        resident.peers.clear();
        resident.named.clear();
        resident.gone.clear();
        resident.removed.clear();
        let number = resident.lives;
        let life = Arc::new(Life { member, number, alive: AtomicBool::new(true) });
        resident.life = Some(life.clone());
        self.chore(Chore::Forget(Box::new(unread)));
        self.record(&Event::Boot { member, life: number });
        self.observe(&Happening::Booting { member });
        life
    }

    fn end_life(&mut self, member: Slot, power: bool) -> bool {
        let resident = &mut self.members[member];
        // Dropped by the clockwork: what they hold may run code of the member.
        let held = (resident.serve.take(), resident.stop.take(), resident.hand_over.take());
        resident.paused = false;
        self.chore(Chore::Forget(Box::new(held)));
        let resident = &mut self.members[member];
        let Some(life) = resident.life.take() else { return false };
        life.alive.store(false, Ordering::Relaxed);
        self.record(&Event::Died { member, power });
        self.chore(Chore::Kill(life));
        self.peer_died(member);
        true
    }

    pub(crate) fn serve(&mut self, life: &Life, serve: Serve) {
        if self.is_alive(life) {
            self.members[life.member].serve = Some(serve);
        }
    }

    pub(crate) fn hand_over_by(&mut self, life: &Life, hand_over: HandOver) {
        if self.is_alive(life) {
            self.members[life.member].hand_over = Some(hand_over);
        }
    }

    pub(crate) fn stop_by(&mut self, life: &Life, stop: Stop) {
        if self.is_alive(life) {
            self.members[life.member].stop = Some(stop);
        }
    }

    pub(crate) fn server_of(&self, member: Slot) -> Option<(Serve, Arc<Life>)> {
        let resident = &self.members[member];
        Some((resident.serve.clone()?, resident.life.clone()?))
    }

    pub(crate) fn inbox_mut(&mut self, member: Slot) -> &mut Inbox {
        &mut self.members[member].inbox
    }

    pub(crate) fn doorstep_mut(&mut self, member: Slot) -> &mut Doorstep {
        &mut self.members[member].doorstep
    }

    pub(crate) fn peers_of(&self, member: Slot) -> &[Slot] {
        &self.members[member].peers
    }

    /// Whom a member has for peers when it names these: they, and those who came by themselves.
    pub(crate) fn name_peers(
        &mut self,
        member: Slot,
        named: Vec<MemberId>,
        removed: &[MemberId],
    ) -> Vec<Slot> {
        let mut peers: Vec<Slot> = Vec::new();
        for slot in named.iter().filter_map(|&id| self.slot_of(id)) {
            if slot != member && !peers.contains(&slot) {
                peers.push(slot);
            }
        }
        let resident = &mut self.members[member];
        resident.removed = removed.to_vec();
        resident.gone.retain(|id| !named.contains(id));
        let before = std::mem::replace(&mut resident.named, named.clone());
        resident.gone.extend(before.into_iter().filter(|id| !named.contains(id)));
        for slot in resident.peers.clone() {
            if !peers.contains(&slot) && !self.is_gone(member, slot) {
                peers.push(slot);
            }
        }
        peers
    }

    /// Whether somebody in this place was a peer and is none any more.
    fn is_gone(&self, member: Slot, slot: Slot) -> bool {
        let (resident, id) = (&self.members[member], self.members[slot].id);
        resident.gone.contains(&id) || resident.removed.contains(&id)
    }

    pub(crate) fn is_removed_for(&self, member: Slot, id: MemberId) -> bool {
        self.members[member].removed.contains(&id)
    }

    pub(crate) fn may_meet(&self, member: Slot, stranger: Slot) -> bool {
        !self.members[member].peers.contains(&stranger) && !self.is_gone(member, stranger)
    }

    pub(crate) fn set_peers_of(&mut self, member: Slot, peers: Vec<Slot>) -> Vec<Slot> {
        std::mem::replace(&mut self.members[member].peers, peers)
    }

    pub fn clock_of(&self, member: Slot) -> &Timepiece {
        &self.members[member].clock
    }

    /// Changes a member's clock. Whoever sleeps by it looks at it again.
    pub fn set_clock(&mut self, member: Slot, change: impl FnOnce(&mut Timepiece, u64)) {
        let now = self.now();
        change(&mut self.members[member].clock, now);
        self.agenda.wake_all_of(member);
    }

    /// The member is dead and stays dead, as after the loss of its disk: nobody starts it again.
    pub fn bury(&mut self, member: Slot) {
        self.members[member].is_buried = true;
        self.crash(member);
    }

    /// The machine in this place becomes another member. It must not run.
    pub fn rename(&mut self, member: Slot, id: MemberId) {
        assert!(!self.is_up(member), "a running member keeps its id");
        let before = std::mem::replace(&mut self.members[member].id, id);
        if before != id {
            self.members[member].other_ids.push(before);
        }
    }

    /// The machine in this place gets an empty disk. It must not run.
    pub fn wipe(&mut self, member: Slot) {
        assert!(!self.is_up(member), "only a machine that stands still is wiped");
        let before = std::mem::take(&mut self.members[member].disk);
        self.members[member].disk.knobs = before.knobs;
        self.record(&Event::Disk { member, what: "wiped", name: "" });
        self.observe(&Happening::Wiped { member });
    }

    /// Where members name the machine in this place.
    pub fn set_address(&mut self, member: Slot, address: String) {
        self.members[member].address = address;
    }

    /// Somebody says at which addresses a member is.
    pub(crate) fn hear_address(&mut self, id: MemberId, addresses: &[String]) {
        if self.slot_of(id).is_none()
            && let Some(resident) =
                self.members.iter_mut().find(|resident| addresses.contains(&resident.address))
        {
            resident.other_ids.push(id);
        }
    }

    /// Nobody starts it, or somebody may again.
    pub fn keep_down(&mut self, member: Slot, down: bool) {
        self.members[member].is_kept_down = down;
    }

    /// The process has ended by itself.
    pub(crate) fn ended(&mut self, life: &Life, counted: &'static str) {
        if self.is_alive(life) {
            self.count(counted);
            self.crash(life.member);
        }
    }

    /// It runs, but nobody may count on it any more.
    pub fn forsake(&mut self, member: Slot) {
        self.members[member].is_forsaken = true;
    }

    pub fn is_forsaken(&self, member: Slot) -> bool {
        self.members[member].is_forsaken
    }

    pub fn is_buried(&self, member: Slot) -> bool {
        self.members[member].is_buried
    }

    pub(crate) fn draw_secret(&mut self) -> [u8; 32] {
        let mut secret = [0; 32];
        for eight in secret.chunks_exact_mut(8) {
            eight.copy_from_slice(&self.secrets.u64().to_le_bytes());
        }
        secret
    }

    pub(crate) fn draw_entropy(&mut self) -> u64 {
        self.entropy.u64()
    }
}
