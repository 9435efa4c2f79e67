//! Counts and times every call, by its method, on its way in and out. Source: contract-metrics 1, 3 and 8.
use super::{api, limit::Scan};
use bytes::Bytes;
use http::Response;
use hyper::body::{Frame, SizeHint};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, core::Collector,
};
use prost_reflect::MethodDescriptor;
use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Instant,
};
use tonic::{Code, Status, body::Body};

/// By number.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// Services that are counted from their first call on; the others show zeros from the start.
const LATE: [&str; 2] = ["v3lockpb", "v3electionpb"];

const CALL: [&str; 3] = ["grpc_method", "grpc_service", "grpc_type"];

/// Everything that is counted about calls.
pub struct Calls {
    families: Families,
    methods: BTreeMap<String, Arc<Method>>,
}

struct Families {
    started: IntCounterVec,
    handled: IntCounterVec,
    received: IntCounterVec,
    sent: IntCounterVec,
    /// How long calls take; only if the operator wants to know.
    seconds: Option<HistogramVec>,
    received_bytes: IntCounter,
    sent_bytes: IntCounter,
    requests: IntCounterVec,
}

struct Method {
    labels: [String; 3],
    is_stream: bool,
    counters: OnceLock<Counters>,
}

/// Looked up once for each method.
struct Counters {
    started: IntCounter,
    /// By number of the code.
    handled: Vec<IntCounter>,
    received: IntCounter,
    sent: IntCounter,
    seconds: Option<Histogram>,
}

impl Calls {
    /// With `extensive`, also how long calls take.
    pub fn new(extensive: bool) -> Calls {
        let families = Families::new(extensive);
        let mut methods = BTreeMap::new();
        for described in api::methods() {
            let service = described.parent_service();
            let method = Method {
                labels: [described.name().into(), service.full_name().into(), kind(&described).into()],
                is_stream: described.is_client_streaming() || described.is_server_streaming(),
                counters: OnceLock::new(),
            };
            if !LATE.contains(&service.package_name()) {
                method.counters(&families);
            }
            methods.insert(format!("/{}/{}", service.full_name(), described.name()), Arc::new(method));
        }
        Calls { families, methods }
    }

    /// Puts everything where it is read.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        let Families { started, handled, received, sent, seconds, received_bytes, sent_bytes, requests } =
            &self.families;
        let counters: [Box<dyn Collector>; 7] = [
            Box::new(started.clone()),
            Box::new(handled.clone()),
            Box::new(received.clone()),
            Box::new(sent.clone()),
            Box::new(received_bytes.clone()),
            Box::new(sent_bytes.clone()),
            Box::new(requests.clone()),
        ];
        for counter in counters {
            registry.register(counter)?;
        }
        match seconds {
            Some(seconds) => registry.register(Box::new(seconds.clone())),
            None => Ok(()),
        }
    }

    /// A call came in, be it let in or not.
    pub fn asked(&self, path: &str, client_api_version: Option<&str>) {
        if let Some(method) = self.methods.get(path) {
            let kind = if method.is_stream { "stream" } else { "unary" };
            let version = client_api_version.filter(|version| is_version(version)).unwrap_or("unknown");
            self.families.requests.with_label_values(&[version, kind]).inc();
        }
    }

    /// A call is begun. None for a method that there is not.
    pub fn begin(self: &Arc<Self>, path: &str) -> Option<Call> {
        let method = self.methods.get(path)?.clone();
        method.counters(&self.families).started.inc();
        let begun = Begun { calls: self.clone(), method, at: Instant::now(), ended: OnceLock::new() };
        Some(Call(Arc::new(begun)))
    }
}

/// As `3.6`. Whatever else a client calls itself would stay in memory for ever.
fn is_version(text: &str) -> bool {
    let number = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(major, minor)| number(major) && number(minor))
}

fn kind(method: &MethodDescriptor) -> &'static str {
    match (method.is_client_streaming(), method.is_server_streaming()) {
        (false, false) => "unary",
        (true, false) => "client_stream",
        (false, true) => "server_stream",
        (true, true) => "bidi_stream",
    }
}

impl Families {
    fn new(extensive: bool) -> Families {
        let vector = |name, help, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels).expect("names and labels are as they must be")
        };
        let counter = |name, help| IntCounter::new(name, help).expect("the name is as it must be");
        let by_code = ["grpc_code", "grpc_method", "grpc_service", "grpc_type"];
        let seconds = extensive.then(|| {
            // The library's own buckets are those of its Go sibling.
            let opts =
                HistogramOpts::new("grpc_server_handling_seconds", "How long calls took, from begin to end.");
            HistogramVec::new(opts, &CALL).expect("names and labels are as they must be")
        });
        Families {
            started: vector("grpc_server_started_total", "Calls begun.", &CALL),
            handled: vector("grpc_server_handled_total", "Calls ended, whether well or not.", &by_code),
            received: vector("grpc_server_msg_received_total", "Messages received in calls.", &CALL),
            sent: vector("grpc_server_msg_sent_total", "Messages sent in calls.", &CALL),
            seconds,
            received_bytes: counter(
                "etcd_network_client_grpc_received_bytes_total",
                "Bytes of the messages received from clients.",
            ),
            sent_bytes: counter(
                "etcd_network_client_grpc_sent_bytes_total",
                "Bytes of the messages sent to clients.",
            ),
            requests: vector(
                "etcd_server_client_requests_total",
                "Calls by the version of the API that the client names.",
                &["client_api_version", "type"],
            ),
        }
    }
}

impl Method {
    fn counters(&self, families: &Families) -> &Counters {
        self.counters.get_or_init(|| {
            let [method, service, kind] = self.labels.each_ref().map(String::as_str);
            let labels = [method, service, kind];
            Counters {
                started: families.started.with_label_values(&labels),
                handled: CODES
                    .iter()
                    .map(|code| families.handled.with_label_values(&[*code, method, service, kind]))
                    .collect(),
                received: families.received.with_label_values(&labels),
                sent: families.sent.with_label_values(&labels),
                seconds: families.seconds.as_ref().map(|seconds| seconds.with_label_values(&labels)),
            }
        })
    }
}

/// One call from its begin to its end, shared by its two directions.
#[derive(Clone)]
pub struct Call(Arc<Begun>);

struct Begun {
    calls: Arc<Calls>,
    method: Arc<Method>,
    at: Instant,
    ended: OnceLock<()>,
}

impl Begun {
    fn end(&self, code: Code) {
        if self.ended.set(()).is_err() {
            return;
        }
        let counters = self.counters();
        if let Some(handled) = usize::try_from(code as i32).ok().and_then(|code| counters.handled.get(code)) {
            handled.inc();
        }
        if let Some(seconds) = &counters.seconds {
            seconds.observe(self.at.elapsed().as_secs_f64());
        }
    }

    fn counters(&self) -> &Counters {
        self.method.counters(&self.calls.families)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        // Nobody came for the end: the client is gone.
        self.end(Code::Cancelled);
    }
}

impl Call {
    pub fn received(&self, messages: u64, bytes: u64) {
        self.0.calls.families.received_bytes.inc_by(bytes);
        self.0.counters().received.inc_by(messages);
    }

    fn sent(&self, messages: u64, bytes: u64) {
        self.0.calls.families.sent_bytes.inc_by(bytes);
        self.0.counters().sent.inc_by(messages);
    }

    /// The response, watched until its end.
    pub fn watch(self, response: Response<Body>) -> Response<Body> {
        if let Some(status) = Status::from_header_map(response.headers()) {
            self.0.end(status.code());
            return response;
        }
        response.map(|body| Body::new(Outgoing { body, call: self, scan: Scan::default() }))
    }
}

struct Outgoing {
    body: Body,
    call: Call,
    scan: Scan,
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
        match &frame {
            None => this.call.0.end(Code::Ok),
            Some(Err(status)) => this.call.0.end(status.code()),
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    let (messages, bytes) = this.scan.count(data);
                    this.call.sent(messages, bytes);
                }
                if let Some(trailers) = frame.trailers_ref() {
                    let code = Status::from_header_map(trailers).map_or(Code::Ok, |status| status.code());
                    this.call.0.end(code);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
