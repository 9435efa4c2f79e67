//! Members as madsim's nodes. It supplies a deterministic executor, simulated time, and the killing and pausing of what
//! runs on a node.
use crate::{task::Guarded, world::Slot};
use madsim::runtime::{Handle, NodeHandle};
use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

#[derive(Clone)]
pub(crate) struct Madsim(Arc<Nodes>);

struct Nodes {
    /// A restart makes a new one; tasks that an old one starts never run.
    members: Mutex<Vec<NodeHandle>>,
    /// Where clients, the nemesis and the clockwork run. It ends with the world: a task that still waits then would
    /// keep all it holds for ever.
    backstage: NodeHandle,
}

impl Madsim {
    pub fn new(members: usize) -> Madsim {
        let handle = Handle::current();
        let backstage = handle.create_node().name("backstage").build();
        let member = |slot| handle.create_node().name(format!("m{}", slot + 1)).build();
        Madsim(Arc::new(Nodes { members: Mutex::new((0..members).map(member).collect()), backstage }))
    }

    fn members(&self) -> MutexGuard<'_, Vec<NodeHandle>> {
        self.0.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn spawn_backstage(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.backstage.spawn(task);
    }

    pub fn spawn(&self, task: Guarded) {
        let node = self.members()[task.member].clone();
        node.spawn(task);
    }

    pub fn kill(&self, member: Slot) {
        let id = self.members()[member].id();
        Handle::current().kill(id);
    }

    /// A restart alone would leave the tasks of the old life to die later.
    pub fn restart(&self, member: Slot) {
        let handle = Handle::current();
        let id = self.members()[member].id();
        handle.kill(id);
        handle.restart(id);
        let node = handle.get_node(id).expect("the node was created with the world");
        self.members()[member] = node;
    }

    pub fn pause(&self, member: Slot) {
        let id = self.members()[member].id();
        Handle::current().pause(id);
    }

    pub fn resume(&self, member: Slot) {
        let id = self.members()[member].id();
        Handle::current().resume(id);
    }

    pub fn kill_all(&self) {
        let members: Vec<_> = self.members().iter().map(NodeHandle::id).collect();
        for node in members.into_iter().chain([self.0.backstage.id()]) {
            Handle::current().kill(node);
        }
    }
}
