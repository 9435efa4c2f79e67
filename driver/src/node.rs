//! Builds a member out of the core and a runtime, and is the handle by which everybody else talks to it.
use crate::{
    Fault, Level, Runtime,
    board::Board,
    checkpoint_courier as courier,
    checkpoint_writer::{self, CheckpointWriter},
    credentials::{Authentication, Caller, Credentials},
    fanout::{self, Fanout, HubTurns},
    gate::Gate,
    log_writer,
    mailbox::Mailbox,
    meters::Meters,
    peers,
    perform::Hands,
    recovery,
    seat::Seat,
    shutdown::Latch,
    turn::{self, Turns},
    versions,
};
use detcd_core::{
    Config, Edition, Effects, Input, MemberId, Order, Outcome, Refusal, Replica, Reply, Rng, Span,
    auth::Principal, state::tally, watch::HubConfig,
};
use detcd_proto::etcdserverpb as pb;
use std::sync::Arc;

/// Most inputs that wait for the core; peers have as much again.
const INBOX_MAX: usize = 1 << 16;
/// Tasks that serve watchers.
const HUBS: usize = 2;
/// A member that was removed goes on for so long, or two election timeouts: the others may need its vote once more.
const EXPELLED_PATIENCE: Span = Span::secs(1);

/// One running member, and on whose behalf it is asked. A cheap handle; its front methods (`front/`) are what the RPC
/// services call.
pub struct Node<R: Runtime>(pub(crate) Arc<Inner<R>>, pub(crate) Caller);

pub(crate) struct Inner<R: Runtime> {
    pub rt: R,
    pub config: Config,
    pub gate: Gate,
    pub board: Board,
    pub fanout: Fanout,
    pub meters: Arc<Meters>,
    pub credentials: Arc<Credentials>,
    inbox: Mailbox<Input>,
    pub stopping: Latch,
    stopped: Latch,
    expelled: Latch,
}

/// What waits inside a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loads {
    /// Inputs for the core.
    pub inbox: usize,
    /// The most requests that ever waited for the core's answer at once.
    pub gate: usize,
    /// Editions and requests for the hub for which most waits.
    pub post: usize,
}

impl<R: Runtime> Clone for Node<R> {
    fn clone(&self) -> Self {
        Node(self.0.clone(), self.1.clone())
    }
}

/// Starts a member on what its disk holds, or as part of a new cluster if it holds nothing.
///
/// Answers when the log is read back; the member then joins the others on its own. A fault here is for the operator:
/// the log is damaged, belongs to another member, or the disk does not work.
pub async fn start<R: Runtime>(rt: R, config: Config) -> Result<Node<R>, Fault> {
    start_with(rt, config, Authentication::default()).await
}

/// As [`start`], with another way to recognise callers.
pub async fn start_with<R: Runtime>(
    rt: R,
    config: Config,
    authentication: Authentication,
) -> Result<Node<R>, Fault> {
    let (node, turns, hubs) = assemble(&rt, config, authentication).await?;
    for hub in hubs {
        rt.spawn("fanout", fanout::run(hub));
    }
    rt.spawn("peers", peers::listen(rt.clone(), node.0.inbox.clone(), node.0.stopping.clone()));
    rt.spawn("turns", turn::run(turns));
    Ok(node)
}

/// As [`start`], for a host that calls the member when it has something to do, instead of running its loops as tasks.
pub async fn seat<R: Runtime>(rt: R, config: Config) -> Result<(Node<R>, Seat<R>), Fault> {
    seat_with(rt, config, Authentication::default()).await
}

/// As [`seat`], with another way to recognise callers.
pub async fn seat_with<R: Runtime>(
    rt: R,
    config: Config,
    authentication: Authentication,
) -> Result<(Node<R>, Seat<R>), Fault> {
    let (node, turns, hubs) = assemble(&rt, config, authentication).await?;
    let seat = Seat::new(node.0.inbox.clone(), turns, hubs);
    Ok((node, seat))
}

/// The member, and its loops; what writes its log and what asks for versions runs already.
type Parts<R> = (Node<R>, Turns<R>, Vec<HubTurns<R>>);

async fn assemble<R: Runtime>(
    rt: &R,
    config: Config,
    authentication: Authentication,
) -> Result<Parts<R>, Fault> {
    let (recovered, open) = match recovery::recover(rt, config.plants).await? {
        Some((recovered, open)) => {
            let metadata = &recovered.log.metadata;
            let id = (metadata.node_id, metadata.cluster_id);
            if id != (config.me.id.0, config.cluster_id.0) {
                return Err(Fault(format!(
                    "the log belongs to member {:x} of cluster {:x}, not to {} of {}",
                    id.0, id.1, config.me.id, config.cluster_id
                )));
            }
            (Some(recovered), Some(open))
        }
        None => (None, None),
    };
    let mut effects = Effects::default();
    let replica = Replica::boot(config.clone(), recovered, rt.entropy(), rt.now(), &mut effects);

    let first = replica.edition();
    let hub_config = HubConfig {
        progress_interval: config.watch_progress_interval,
        election_timeout: config.election_timeout,
        slice_changes_max: config.watch_slice_changes,
        plants: config.plants,
    };
    let replies_max = config.watch_replies_max;
    let meters = Arc::new(Meters::default());
    let rng = &mut Rng::from_seed(rt.entropy());
    let (fanout, hubs) = Fanout::new(rt, &first, HUBS, hub_config, replies_max, &meters, rng);
    let inbox = Mailbox::bounded(INBOX_MAX);
    let inner = Arc::new(Inner {
        rt: rt.clone(),
        config,
        gate: Gate::new(inbox.clone()),
        board: Board::new(first),
        fanout,
        meters: meters.clone(),
        credentials: Arc::new(Credentials::new(authentication)),
        inbox: inbox.clone(),
        stopping: Latch::default(),
        stopped: Latch::default(),
        expelled: Latch::default(),
    });
    let node = Node(inner, Caller::default());
    let hands = Hands {
        rt: rt.clone(),
        me: node.0.config.me.id,
        log: Mailbox::bounded(1),
        checkpoints: Mailbox::bounded(1),
        parcels: Mailbox::bounded(1),
        calls: Mailbox::bounded(1),
        board: node.0.board.clone(),
        fanout: node.0.fanout.clone(),
        gate: node.0.gate.clone(),
        meters: meters.clone(),
        heartbeat_interval: node.0.config.heartbeat_interval,
        credentials: node.0.credentials.clone(),
        expelled: node.0.expelled.clone(),
        versions: Mailbox::bounded(1),
        led: 0,
    };
    let ended = node.0.stopped.clone();
    let plants = node.0.config.plants;
    let checkpoints = CheckpointWriter {
        rt: rt.clone(),
        work: hands.checkpoints.clone(),
        inbox: inbox.clone(),
        stopping: node.0.stopping.clone(),
        meters: meters.clone(),
        plants,
    };
    start_courier(&node, &hands, &checkpoints);
    rt.spawn_pinned("checkpoint-writer", checkpoint_writer::run(checkpoints));
    let writing = log_writer::run(rt.clone(), open, hands.log.clone(), inbox.clone(), ended, meters, plants);
    rt.spawn_pinned("log-writer", writing);
    rt.spawn("versions", versions::run(node.clone(), hands.versions.clone()));
    Ok((node, Turns::new(replica, effects, inbox, hands), hubs))
}

/// Whoever carries checkpoints to peers and from them.
fn start_courier<R: Runtime>(node: &Node<R>, hands: &Hands<R>, writer: &CheckpointWriter<R>) {
    let CheckpointWriter { rt, inbox, stopping, meters, plants, .. } = writer;
    let (rt, drafts, config) = (rt.clone(), courier::Drafts::default(), node.config());
    let sender = courier::Sender {
        rt: rt.clone(),
        work: hands.parcels.clone(),
        inbox: inbox.clone(),
        stopping: stopping.clone(),
        meters: meters.clone(),
    };
    let receiver = courier::Receiver {
        rt: rt.clone(),
        inbox: inbox.clone(),
        stopping: stopping.clone(),
        meters: meters.clone(),
        drafts: drafts.clone(),
        me: config.me.id,
        bytes_max: courier::bytes_max(config.quota_backend_bytes),
        newest: courier::Newest::default(),
    };
    let stager = courier::Stager {
        rt: rt.clone(),
        work: hands.calls.clone(),
        inbox: inbox.clone(),
        drafts,
        writer: writer.with_work(Mailbox::bounded(1)),
        plants: *plants,
    };
    rt.spawn("checkpoint-courier", sender.run());
    rt.spawn("checkpoint-courier", receiver.run());
    rt.spawn_pinned("checkpoint-stager", stager.run());
}

impl<R: Runtime> Node<R> {
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The newest committed state this member knows, and where it stands.
    pub fn latest(&self) -> Arc<Edition> {
        self.0.board.latest()
    }

    /// What this member counts and times.
    pub fn meters(&self) -> &Meters {
        &self.0.meters
    }

    /// How full the queues of this member are. Costs a few locks; nothing is counted for it.
    pub fn loads(&self) -> Loads {
        Loads { inbox: self.0.inbox.len(), gate: self.0.gate.slots(), post: self.0.fanout.longest_post() }
    }

    /// Waits until this member has published its name through the log: from then on it serves.
    pub async fn ready(&self) {
        self.0.board.until(|edition| edition.standing.is_published).await;
    }

    /// Waits until this member is none any more and the others had time to hear of it; it is to be stopped then.
    pub async fn expelled(&self) {
        self.0.expelled.wait().await;
        let patience = self.0.config.election_timeout.times(2).max(EXPELLED_PATIENCE);
        self.0.rt.sleep_until(self.0.rt.now() + patience).await;
    }

    /// Hands the lead over if this member has it, refuses what still waits, and ends when the last write is on disk.
    pub async fn stop(&self) {
        let edition = self.latest();
        let me = self.0.config.me.id;
        let others = edition.view.members.iter().any(|member| !member.is_learner && member.id != me);
        // Nobody listens any more to a member that was removed.
        if edition.standing.leader == Some(me)
            && others
            && !self.0.expelled.is_open()
            && let Err(refusal) = self.hand_over(None).await
        {
            self.0.rt.log(Level::Warn, format_args!("leadership transfer failed error=\"{refusal}\""));
        }
        self.0.gate.stop();
        self.0.stopping.open();
        self.0.inbox.close();
        self.0.stopped.wait().await;
    }

    /// Hands the lead over to this member, or to the one best suited; answers when somebody else leads. Refused by a
    /// member that does not lead, and when it takes too long.
    pub async fn hand_over(&self, to: Option<MemberId>) -> Result<(), Refusal> {
        let order = Order::TransferLeadership { to };
        self.0.gate.ask(|ticket| Input::Admin { ticket, order }).await.map(|_| ())
    }

    /// Proposes for the caller; the answer comes when this member has applied it.
    pub(crate) async fn propose(&self, mut request: pb::InternalRaftRequest) -> Outcome {
        let (who, _) = self.principal().await?;
        if !who.is_nobody() {
            let Principal { name, revision } = who;
            request.header = Some(pb::RequestHeader { id: 0, username: name, auth_revision: revision });
        }
        self.propose_as_nobody(request).await
    }

    /// As [`Node::propose`], for what is of this member or asks nobody's name.
    pub(crate) async fn propose_as_nobody(&self, request: pb::InternalRaftRequest) -> Outcome {
        let (meters, rt, operation) = (&self.0.meters, &self.0.rt, tally::operation(&request));
        let request = Box::new(request);
        let begun = rt.now();
        let pending = meters.proposal();
        let outcome = self.0.gate.ask(|ticket| Input::Propose { ticket, request }).await;
        drop(pending);
        meters.answered(operation, outcome.as_ref().map(|_| ()), rt.now() - begun);
        outcome
    }

    /// Waits until the board shows a state that is at least as new as everything acknowledged before the call.
    pub(crate) async fn read_point(&self) -> Result<(), Refusal> {
        let outcome = self.0.gate.ask(|ticket| Input::ReadPoint { ticket }).await;
        match outcome.inspect_err(|refusal| self.0.meters.read_failed(refusal))? {
            Reply::ReadPoint => Ok(()),
            other => unreachable!("a read point was answered with {other:?}"),
        }
    }

    /// The stamp of an answer that this member makes on its own.
    pub(crate) fn header(&self, edition: &Edition, revision: i64) -> pb::ResponseHeader {
        pb::ResponseHeader {
            cluster_id: self.0.config.cluster_id.0,
            member_id: self.0.config.me.id.0,
            revision,
            raft_term: edition.standing.term,
        }
    }

    /// Fills in what the core cannot know about an answer made from a view.
    pub(crate) fn stamp(&self, edition: &Edition, header: &mut Option<pb::ResponseHeader>) {
        let revision = header.as_ref().map_or(0, |header| header.revision);
        *header = Some(self.header(edition, revision));
    }
}
