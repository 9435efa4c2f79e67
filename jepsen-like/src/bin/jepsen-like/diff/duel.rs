//! One round: two servers, and a workload that is played on both, call by call. The next call is made when both have
//! answered the last, so that both see the same calls in the same order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::DynamicMessage;

use super::answer::{Answer, Difference, differences, show};
use super::explained::explain;
use super::normal::Normaliser;
use super::plan::{Action, Caller, Step, Token, path};
use super::schema::Schema;
use super::server::Server;
use super::symbol::Moment;
use super::waiting::Begun;
use super::watching::Watching;
use super::wire::{Metadata, Received};

/// How long a compaction may take behind its answer.
const COMPACTION_MAX: Duration = Duration::from_secs(2);
const COMPACTION_PAUSE: Duration = Duration::from_millis(50);

/// What became of a step.
#[derive(Debug)]
pub enum Outcome {
    Same,
    /// The first server does not have this yet; the second was not asked.
    NotBuilt,
    Different(Box<Clash>),
}

/// Two answers that are not the same.
#[derive(Clone, Debug)]
pub struct Clash {
    pub path: &'static str,
    pub caller: Caller,
    /// What was asked, with numbers in the place of symbols.
    pub request: Option<DynamicMessage>,
    pub answers: [Answer; 2],
    pub differences: Vec<Difference>,
    /// Whether authentication is on.
    pub asks_who: bool,
    /// The revisions that were compacted so far in this round.
    pub compactions: Vec<i64>,
    /// The last words of a server that ended.
    pub obituaries: Vec<String>,
}

/// One of the two servers, with what is known about it alone.
pub struct Side {
    pub server: Server,
    tokens: BTreeMap<String, String>,
    /// Whether authentication is on.
    asks_who: bool,
    pub watching: Watching,
}

impl Side {
    pub fn new(server: Server) -> Side {
        Side { server, tokens: BTreeMap::new(), asks_who: false, watching: Watching::default() }
    }

    /// What goes with a call. While nobody has to say who he is, servers before 3.6 refuse all tokens, so only reads,
    /// which change nothing, carry one.
    pub fn metadata(&self, caller: &Caller, path: &str) -> Metadata {
        let mut metadata: Metadata =
            caller.metadata.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        match &caller.token {
            Token::None => {}
            _ if !self.asks_who && path != path::RANGE => {}
            Token::Garbage(words) => metadata.push(("token", (*words).to_owned())),
            Token::User { name, key, prefix } => {
                if let Some(token) = self.tokens.get(name) {
                    metadata.push((key, format!("{prefix}{token}")));
                }
            }
        }
        metadata
    }
}

pub struct Duel<'r> {
    pub schema: &'r Schema,
    pub normaliser: &'r Normaliser,
    pub sides: [Side; 2],
    pub moment: Moment,
    compactions: Vec<i64>,
    pub begun: Option<Begun>,
    /// Methods that the first server is known to have: both can be asked at the same time.
    pub built: &'r mut BTreeSet<&'static str>,
}

impl<'r> Duel<'r> {
    pub fn new(
        schema: &'r Schema,
        normaliser: &'r Normaliser,
        servers: [Server; 2],
        built: &'r mut BTreeSet<&'static str>,
    ) -> Duel<'r> {
        let moment = Moment { revision: 1, compacted: 0 };
        let sides = servers.map(Side::new);
        Duel { schema, normaliser, sides, moment, compactions: Vec::new(), begun: None, built }
    }

    /// Plays one step on both servers.
    pub async fn play(&mut self, step: &Step) -> Outcome {
        match &step.action {
            Action::Unary { path, request } => self.unary(&step.caller, path, request).await,
            Action::Stream { path, requests, take } => self.stream(&step.caller, path, requests, *take).await,
            Action::Watch { stream, request } => self.watch(&step.caller, *stream, request).await,
            Action::Unwatch { stream } => self.unwatch(*stream),
            Action::Settle => self.settle().await,
            Action::Begin { path, request, key } => self.begin(&step.caller, path, request, key).await,
            Action::Finish { path } => self.finish(path).await,
            Action::Expire { lease } => self.expire(&step.caller, *lease).await,
        }
    }

    /// What a step says, on one line, with numbers in the place of symbols as they are now.
    pub fn words(&self, step: &Step) -> String {
        let said = |request: &Bytes| {
            let (message, bytes) = self.resolved(step.path(), request);
            message
                .map_or_else(|| format!("{:?}", bytes.escape_ascii().to_string()), |message| show(&message))
        };
        let name = step.path().trim_start_matches('/');
        let text = match &step.action {
            Action::Unary { request, .. } => format!("{name} {{ {} }}", said(request)),
            Action::Stream { requests, .. } => {
                format!("{name} {{ {} }}", requests.iter().map(said).collect::<Vec<_>>().join(" } { "))
            }
            Action::Watch { stream, request } => format!("{name}, stream {stream} {{ {} }}", said(request)),
            Action::Unwatch { stream } => format!("{name}, stream {stream}: close it"),
            Action::Settle => "all watches: come to rest".to_owned(),
            Action::Begin { request, .. } => {
                format!("{name} {{ {} }}: begin, and wait for it later", said(request))
            }
            Action::Finish { .. } => format!("{name}: the answer that was waited for"),
            Action::Expire { lease } => format!("lease {lease}: wait for its end"),
        };
        text + &step.caller.to_string()
    }

    pub async fn close(self) -> Result<(), String> {
        let [a, b] = self.sides;
        a.server.close().await.and(b.server.close().await)
    }

    /// The request with numbers for symbols, if it is a message that the schema knows.
    pub fn resolved(&self, path: &str, request: &Bytes) -> (Option<DynamicMessage>, Bytes) {
        let kind = self.schema.method(path).map(|method| method.input());
        let Some(mut message) = kind.and_then(|kind| self.schema.decode(kind, request.clone()).ok()) else {
            return (None, request.clone());
        };
        self.moment.resolve_all(&mut message);
        let bytes = message.encode_to_vec().into();
        (Some(message), bytes)
    }

    pub async fn unary(&mut self, caller: &Caller, path: &'static str, request: &Bytes) -> Outcome {
        let mut outcome = self.ask(caller, path, request).await;
        // A compaction is carried out behind its answer, and what it has not removed yet can be in the hash.
        let begin = Instant::now();
        while path == path::HASH_KV
            && matches!(&outcome, Outcome::Different(clash) if explain(clash).is_none())
            && begin.elapsed() < COMPACTION_MAX
        {
            tokio::time::sleep(COMPACTION_PAUSE).await;
            outcome = self.ask(caller, path, request).await;
        }
        outcome
    }

    async fn ask(&mut self, caller: &Caller, path: &'static str, request: &Bytes) -> Outcome {
        if caller.gateway
            && let Some(outcome) = self.ask_gateway(caller, path, request).await
        {
            return outcome;
        }
        let (message, bytes) = self.resolved(path, request);
        let metadata = [self.sides[0].metadata(caller, path), self.sides[1].metadata(caller, path)];
        let [a, b] = &self.sides;
        let ask_a = a.server.wire.unary(path, &metadata[0], bytes.clone());
        let ask_b = b.server.wire.unary(path, &metadata[1], bytes);
        let answers = if self.built.contains(path) {
            tokio::join!(ask_a, ask_b).into()
        } else {
            let first = ask_a.await;
            let answer = first.as_ref().map_or_else(Answer::failed, |_| Answer::empty());
            if answer.is_not_built() {
                return Outcome::NotBuilt;
            }
            self.built.insert(path);
            [first, ask_b.await]
        };
        let answers = answers.map(|answer| match answer {
            Ok(bytes) => self.answer(path, vec![bytes]),
            Err(status) => Answer::failed(&status),
        });
        self.learn(path, message.as_ref(), &answers);
        self.judge(path, caller, message, answers)
    }

    async fn stream(
        &mut self,
        caller: &Caller,
        path: &'static str,
        requests: &[Bytes],
        take: Option<usize>,
    ) -> Outcome {
        let resolved: Vec<_> = requests.iter().map(|request| self.resolved(path, request)).collect();
        let ask = async |side: &Side| {
            let mut talk = side.server.wire.stream(path, side.metadata(caller, path));
            resolved.iter().for_each(|(_, bytes)| talk.say(bytes.clone()));
            talk.half_close();
            let mut messages = Vec::new();
            while take.is_none_or(|take| messages.len() < take) {
                match talk.hear().await {
                    Received::Message(bytes) => messages.push(bytes),
                    Received::End(status) => return (messages, status),
                }
            }
            (messages, None)
        };
        let first = ask(&self.sides[0]).await;
        if first.1.as_ref().is_some_and(|status| Answer::failed(status).is_not_built()) {
            return Outcome::NotBuilt;
        }
        let second = ask(&self.sides[1]).await;
        let answers = [first, second].map(|(messages, status)| {
            let answer = self.answer(path, messages);
            match status {
                Some(status) => Answer { status: Answer::failed(&status).status, ..answer },
                None => answer,
            }
        });
        let message = resolved.into_iter().next().and_then(|(message, _)| message);
        self.judge(path, caller, message, answers)
    }

    /// Reads what came back.
    pub fn answer(&self, path: &str, messages: Vec<Bytes>) -> Answer {
        let Some(kind) = self.schema.method(path).map(|method| method.output()) else {
            let status = (-1, format!("an answer to an unknown method, {} messages", messages.len()));
            return Answer { status, ..Answer::empty() };
        };
        let mut answer = Answer::empty();
        for bytes in messages {
            match self.schema.decode(kind.clone(), bytes) {
                Ok(message) => answer.messages.push(message),
                Err(error) => answer.status = (-1, format!("an answer that is no {}: {error}", kind.name())),
            }
        }
        answer
    }

    pub fn learn(&mut self, path: &str, request: Option<&DynamicMessage>, answers: &[Answer; 2]) {
        if let Some(revision) = answers[0].revision() {
            self.moment.revision = self.moment.revision.max(revision);
        }
        if path == path::COMPACT && answers[0].is_ok() {
            let revision = request.and_then(|request| request.get_field_by_name("revision")?.as_i64());
            self.moment.compacted = revision.unwrap_or(0);
            self.compactions.push(self.moment.compacted);
        }
        if [path::AUTH_ENABLE, path::AUTH_DISABLE].contains(&path) {
            for (side, _) in self.sides.iter_mut().zip(answers).filter(|(_, answer)| answer.is_ok()) {
                side.asks_who = path == path::AUTH_ENABLE;
            }
        }
        if path == path::AUTHENTICATE {
            let name =
                request.and_then(|request| Some(request.get_field_by_name("name")?.as_str()?.to_owned()));
            for (side, answer) in self.sides.iter_mut().zip(answers) {
                let token = answer
                    .messages
                    .first()
                    .and_then(|message| Some(message.get_field_by_name("token")?.as_str()?.to_owned()));
                if let (Some(name), Some(token)) = (&name, token) {
                    side.tokens.insert(name.clone(), token);
                }
            }
        }
    }

    /// Compares two answers, after taking out of them what cannot be equal.
    pub fn judge(
        &mut self,
        path: &'static str,
        caller: &Caller,
        request: Option<DynamicMessage>,
        mut answers: [Answer; 2],
    ) -> Outcome {
        let shown = answers.clone();
        for answer in &mut answers {
            self.normaliser.normalise(path, request.as_ref(), answer);
        }
        let differences = differences(&answers[0], &answers[1]);
        if differences.is_empty() {
            return Outcome::Same;
        }
        Outcome::Different(Box::new(Clash {
            path,
            caller: caller.clone(),
            request,
            answers: shown,
            differences,
            asks_who: self.sides[0].asks_who,
            compactions: self.compactions.clone(),
            obituaries: self.sides.iter_mut().filter_map(|side| side.server.obituary()).collect(),
        }))
    }
}

impl Clash {
    /// What makes two clashes one kind: the method and the fields, not their contents.
    pub fn fingerprint(&self) -> String {
        let mut kinds: Vec<String> = self
            .differences
            .iter()
            .map(|difference| {
                let kind = difference.kind();
                if kind == "status" { format!("status {:?} {:?}", difference.a, difference.b) } else { kind }
            })
            .collect();
        kinds.sort();
        kinds.dedup();
        format!("{}: {}", self.path, kinds.join(", "))
    }
}
